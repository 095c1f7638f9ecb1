"""What every page shows around its own content: how far autonomy goes, what holds it, and how old all of it is."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.desk.known import Known
from daemon.desk.models import Mutes
from daemon.desk.snapshot import Snapshot
from daemon.desk.tokens import Caller, Role
from daemon.document.words import length
from daemon.web.views.reader import Reader

LEASH = {
    "observe": "Nothing is done by itself; what would be done is only shown",
    "propose": "A person approves every step before it runs",
    "auto": "Acts by itself, within its guardrails",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """`banners`: (tone, sentence), the gravest first. `form_token`: empty when this reader may order nothing.

    `login`: where to take the wheel and come back from; empty where that is not offered.
    """

    reader: Reader
    environment: str
    version: str
    autonomy: str
    leash: str
    paused: tuple[str, ...]
    banners: tuple[tuple[str, str], ...]
    fresh_at: float | None
    poll: float
    caller: Caller | None
    form_token: str
    active: str = ""
    said: str = ""
    login: str = ""

    @property
    def operates(self) -> bool:
        """Whether buttons are offered."""
        return bool(self.form_token) and self.caller is not None and self.caller.role.may(Role.OPERATOR)


def banners(live: Snapshot | None, reader: Reader) -> tuple[tuple[str, str], ...]:
    """Everything that makes this page worth less than it seems."""
    found: list[tuple[str, str]] = []
    if live is None:
        found.append(
            ("firing", "The loop has not reported yet: this page shows what is stored, not what is true now.")
        )
        return tuple(found)
    if live.stale(reader.now):
        since = f"Nothing new for {length(reader.now - live.at)}, since {reader.both(live.at)}"
        found.append(("firing", f"{since}: the loop has stopped reporting. What follows is old."))
    elif not live.rounds_done:
        found.append(
            (
                "unknown",
                "Starting: not every detector has finished its first round, so nothing is judged yet.",
            )
        )
    if live.refused:
        found.append(
            (
                "pending",
                "The last reload was refused; the configuration before it is in force. See Configuration.",
            )
        )
    return tuple(found)


def pauses(mutes: Mutes, live: Snapshot | None, reader: Reader) -> tuple[str, ...]:
    """Who holds the daemon back, why and until when; the whole before a part."""
    found = [*(live.paused if live else ())]
    for row in sorted(mutes.mutes, key=lambda row: len(row.matchers)):
        if row.kind == "silence" or row.starts_at > reader.now:
            continue
        what = ", ".join(f"{name}={value}" for name, value in sorted(row.matchers.items())) or "everything"
        until = f" until {reader.both(row.ends_at)}" if row.ends_at is not None else " until lifted"
        why = f": {row.reason}" if row.reason else ""
        found.append(f"{row.kind} of {what} by {row.owner}{until}{why}")
    return tuple(found)


def autonomy_of(known: Known, live: Snapshot | None) -> str:
    return str(live.autonomy if live else known.autonomy)
