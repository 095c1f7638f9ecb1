"""Alerts that fire now: what other systems reported, kept between steps and across restarts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from config.scope import Scope, scope_of
from daemon.detect.inbox import FIRING, AlertMap, meaning_of
from daemon.incidents.records import Alert
from daemon.incidents.reported import Reported
from daemon.store.unit import UnitOfWork

OWNER = "@inbox"
"""Checkpoints of the inbox stand beside those of detectors, under a name no detector can have."""
MOST = 10_000
"""Alerts held at once; more are settled with a note that says so."""


REPEATED_WITHIN = 300.0
"""Seconds after a start for senders to repeat what they told: whoever was away could not hear it."""


class Alerts:
    """Firing alerts by fingerprint. `changed` since the last assessment took them into account."""

    def __init__(self, rows: Sequence[AlertMap]) -> None:
        self._rows = rows
        self._firing: dict[str, Reported] = {}
        self._ends: dict[str, float] = {}
        """Until when a sender vouches for its alert (unix seconds), where it says so."""
        self._restored = False
        self.changed = False

    def restore(self, checkpoints: Mapping[tuple[str, Scope], Any]) -> None:
        """After a start: what fired when the daemon stopped."""
        for (owner, _), state in checkpoints.items():
            if owner == OWNER:
                known = {**state, "scope": scope_of(state["scope"])}
                ends_at = known.pop("ends_at", None)
                reported = Reported(**known)
                self._keep(reported, ends_at)
                self._restored = self.changed = True

    def remap(self, rows: Sequence[AlertMap]) -> None:
        """A reload: new alerts are read by the new map, those that fire stay as they were read."""
        self._rows = rows

    def firing(self, now: float) -> tuple[Reported, ...]:
        """What was told and not taken back. One whose end has come is no health: nobody said that it is over."""
        if self._restored:
            self._restored = False
            self._ends = {name: max(at, now + REPEATED_WITHIN) for name, at in self._ends.items()}
        return tuple(
            replace(reported, lapsed=True) if self._ends.get(fingerprint, now + 1.0) <= now else reported
            for fingerprint, reported in self._firing.items()
        )

    @property
    def full(self) -> bool:
        """No further alert can be counted."""
        return len(self._firing) >= MOST

    def seen(self) -> None:
        """An assessment took the present alerts into account."""
        self.changed = False

    def take(self, uow: UnitOfWork, alerts: Sequence[Alert]) -> None:
        """Settle new alerts in this transaction."""
        notes: dict[str, list[int]] = {}
        for alert in alerts:
            notes.setdefault(self._one(alert), []).append(alert.id)
        for note, ids in notes.items():
            uow.inbox.settle_alerts(ids, note)
        self.changed = self.changed or bool(alerts)

    def rows(self) -> dict[tuple[str, Scope], Any]:
        """Checkpoints of all, as plain data."""
        return self.rows_of(self._firing)

    def rows_of(self, fingerprints: Iterable[str]) -> dict[tuple[str, Scope], Any]:
        """Checkpoints of these; None for one that fires no more: kept, it would fire again after a restart."""
        return {_key(fingerprint): self._row(fingerprint) for fingerprint in fingerprints}

    def _row(self, fingerprint: str) -> dict[str, Any] | None:
        reported = self._firing.get(fingerprint)
        if reported is None:
            return None
        ends_at = self._ends.get(fingerprint)
        return {**asdict(reported), "scope": dict(reported.scope), "ends_at": ends_at}

    def _one(self, alert: Alert) -> str:
        if alert.status != FIRING:
            self._ends.pop(alert.fingerprint, None)
            return "resolved" if self._firing.pop(alert.fingerprint, None) else "resolved, never counted"
        meaning = meaning_of(alert, self._rows)
        if meaning is None:
            return "no row of the map fits"
        if len(self._firing) >= MOST and alert.fingerprint not in self._firing:
            return f"more than {MOST} alerts fire: not counted"
        self._keep(meaning, alert.ends_at)
        return "counted"

    def _keep(self, reported: Reported, ends_at: float | None) -> None:
        self._firing[reported.fingerprint] = reported
        self._ends.pop(reported.fingerprint, None)
        if ends_at is not None:
            self._ends[reported.fingerprint] = ends_at


def _key(fingerprint: str) -> tuple[str, Scope]:
    return OWNER, scope_of({"fingerprint": fingerprint})
