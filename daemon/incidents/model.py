"""Incident: one failure mode at one scope, from first finding to verified recovery.

All instants are unix seconds (UTC). An incident never changes in place: a stage returns a new value inside a
`Change`, and the store writes it only where `version` is still the one that was read.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum

from config.scope import Scope, scope_key

BLIND = "blind"
"""Failure mode of incidents about lost telemetry: scope `{source: X}` or `{detector: X, …}`."""
DAEMON = "daemon"
"""Failure mode of incidents about the daemon itself: scope `{part: store | workers | config | …}`."""
STORM = "storm"
"""Failure mode of the incident that stands while so much fails at once that only storm-safe rungs are begun."""

DRILL = "drill"
"""Failure mode of incidents about a scheduled drill that failed: scope `{drill: its schedule, …}`."""

SEVERITIES = ("critical", "high", "medium", "low")
"""Worst first."""
QUIET_AFTER_CLOSE = 3600.0
"""Seconds a person's `resolve` on a firing fault holds before it pages again, unless they say another."""

_PREFIX = {
    "provider_outage": "po",
    "ingestion_stopped": "is",
    "transformation_failure": "tf",
    "storage_failure": "sf",
    "api_degradation": "ad",
    "data_quality": "dq",
    BLIND: "bl",
    DAEMON: "dm",
    STORM: "st",
    DRILL: "df",
}


class IncidentState(StrEnum):
    """Where an incident stands; what is in flight stands on its run."""

    OPEN = "open"
    SUPPRESSED = "suppressed"
    """Explained by another open incident."""
    CONTAINED = "contained"
    """A contain rung took effect; never closes by itself."""
    RECOVERED = "recovered"
    """A rung's verification passed; waiting for `clear`."""
    RESOLVED = "resolved"
    CLOSED = "closed"
    """By a person, not verified."""


ENDED = frozenset({IncidentState.RESOLVED, IncidentState.CLOSED})


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """What a detector last said at this incident's scope, as kept on the incident."""

    detector: str
    value: float | None
    threshold: str
    since: float
    state: str
    blind: bool = False
    observed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Impact:
    """How much is affected: `scopes` of `of` known ones, and the sentence that says so."""

    scopes: int
    of: int
    text: str


@dataclass(frozen=True, slots=True)
class Incident:
    """`began_at`: first breach; `detected_at`: when the finding fired. `resolved_by`: rung, `self`, or a name.

    `explained_by`: id of the incident that holds this one back. `quiet_until`: a person's `resolve` on a firing
    fault holds until then, and the fault pages again if it still fires. `alerts`: fingerprints of inbox alerts
    that vouch for this incident beside its detectors. `corroborated`: False = no disruptive action. `advises`: no
    action at all, its detectors only advise. `flapping`: it fired again and again lately, so no action is begun.
    """

    id: str
    failure_mode: str
    scope: Scope
    severity: str
    state: IncidentState
    began_at: float
    detected_at: float
    findings: tuple[FindingRecord, ...] = ()
    impact: Impact = Impact(1, 1, "")
    playbook: str | None = None
    blind: bool = False
    stepped_back: bool = False
    corroborated: bool = True
    advises: bool = False
    flapping: bool = False
    explained_by: str | None = None
    suppressed_at: float | None = None
    recovered_at: float | None = None
    recovered_by: str | None = None
    resolved_at: float | None = None
    resolved_by: str | None = None
    quiet_until: float | None = None
    alerts: tuple[str, ...] = ()
    version: int = 0

    @property
    def ended(self) -> bool:
        """Resolved or closed."""
        return self.state in ENDED


def incident_id(failure_mode: str, scope: Scope, detected_at: float) -> str:
    """Short id a person can type at 3 am, the same in every replay: `sf-4k7q2m`."""
    text = f"{failure_mode}|{scope_key(scope)}|{detected_at:.3f}"
    digest = hashlib.blake2s(text.encode(), digest_size=5).digest()
    return f"{_PREFIX.get(failure_mode, 'xx')}-{base64.b32encode(digest).decode().lower()[:6]}"


def worse(one: str, other: str) -> str:
    """The worse of two severities."""
    return min(one, other, key=SEVERITIES.index)
