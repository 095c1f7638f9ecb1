"""Tries: how often somebody who cannot be identified well may be wrong before nothing is read of them for a while."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST = 5
WITHIN = 900.0
"""Seconds that count, and for which nothing is read."""
STRANGERS = 20
"""Wrong tries of all who are not known together: each gets an answer, which costs money and may be answered again."""
SENDERS = 500


@dataclass(slots=True)
class Tries:
    """In memory and bounded: a restart gives everyone their tries back. Belongs to one event loop."""

    _wrong: dict[str, list[float]] = field(default_factory=dict)

    def spent(self, sender: str, now: float, most: int = MOST) -> bool:
        """Whether nothing is to be read of `sender` at present."""
        return len(self._recent(sender, now)) >= most

    def wrong(self, sender: str, now: float) -> None:
        """Count a wrong try."""
        recent = self._recent(sender, now)
        if sender not in self._wrong and len(self._wrong) >= SENDERS:
            del self._wrong[min(self._wrong, key=lambda name: self._wrong[name][-1])]
        self._wrong[sender] = [*recent, now]

    def right(self, sender: str, now: float) -> None:
        """Take back the newest try that was counted before anybody knew that it was right."""
        recent = self._recent(sender, now)[:-1]
        if recent:
            self._wrong[sender] = recent
        else:
            self._wrong.pop(sender, None)

    def _recent(self, sender: str, now: float) -> list[float]:
        return [at for at in self._wrong.get(sender, ()) if now - WITHIN < at <= now]
