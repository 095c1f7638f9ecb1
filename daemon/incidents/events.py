"""Event: one row of the timeline. Append-only; post-mortem, audit and explanations are read from it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Every kind of timeline row. `data` holds the facts behind `text`; its keys are named beside each kind."""

    DETECTED = "detected"  # detector, value, threshold, since, severity
    FINDING = "finding"  # detector, state, value
    SEVERITY = "severity"  # was, now
    SUPPRESSED = "suppressed"  # by
    RELEASED = "released"  # was_by
    BLIND = "blind"  # detector, reason
    SIGHTED = "sighted"  # detector
    FLAPPING = "flapping"  # detector, reason

    DIAGNOSED = "diagnosed"  # probe, ok, status, body (bounded), error
    RECHECK = "recheck"  # observed_at
    SKIPPED = "skipped"  # rung, gate (when | require), reason
    GATES = "gates"  # rung, allowed, gates[{name, allowed, reason, until, inputs}]
    WAITING = "waiting"  # rung, gate, until
    PROPOSED = "proposed"  # rung, expires_at
    APPROVED = "approved"  # by
    REJECTED = "rejected"  # by, reason
    EXPIRED = "expired"  # rung
    INTENDED = "intended"  # rung, key, action, args, target
    STARTED = "started"  # rung, key
    ENDED = "ended"  # rung, key, outcome, effect, output
    VERDICT = "verdict"  # rung, verdict, reason
    UNDOING = "undoing"  # rung, key
    UNDONE = "undone"  # rung, outcome
    CONTAINED = "contained"  # rung
    DEBT_OPENED = "debt_opened"  # debt, kind, due_at
    DEBT_MOVED = "debt_moved"  # debt, state
    GAVE_UP = "gave_up"  # reason
    STEPPED_BACK = "stepped_back"
    DEADLINE = "deadline"  # after
    RECOVERED = "recovered"  # by
    RELAPSED = "relapsed"
    RESOLVED = "resolved"  # by
    CLOSED = "closed"  # by, via, reason

    OWED = "owed"  # level, person, channel, event, key
    SENT = "sent"  # key, receipt
    NOT_SENT = "not_sent"  # key, error, next_at
    RECEIPT = "receipt"  # key, receipt (delivered | undelivered | seen | none), detail
    ACKED = "acked"  # by, via
    EXTENDED = "extended"  # by, reason, until
    ESCALATED = "escalated"  # level, by | reason
    LEVEL_SKIPPED = "level_skipped"  # level, reason
    RESUMED = "resumed"  # by
    NOTE = "note"  # by, text
    HUMAN_VERDICT = "human_verdict"  # by, verdict
    ALERT = "alert"  # fingerprint, status, labels
    DAEMON = "daemon"  # what: started | stopped | reloaded | clock_step | parked | …
    PIPELINE_CHANGE = "pipeline_change"  # what, who, ref


@dataclass(frozen=True, slots=True)
class Event:
    """`incident` is an incident's id, or `-` for what concerns the daemon as a whole.

    `text` is one plain sentence for people; it holds no secret and no unescaped markup is assumed of its readers.
    """

    incident: str
    at: float
    kind: Kind
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    actor: str = "fleetmend"
