"""The transition tables of Incident and Escalation; that of Run stands in `remediations.run`.

A pair that is missing does not happen: asking for it raises `IllegalTransition`, and the item is parked with a
page. Every state x event pair is tested, and the diagrams in the docs are generated from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import IncidentState

S = IncidentState
E = EscalationState


class IncidentEvent(StrEnum):
    """What can happen to an incident."""

    SUPPRESS = "suppress"
    """A declared cause is open."""
    RELEASE = "release"
    """The cause ended and this fault did not."""
    CONTAIN = "contain"
    RECOVER = "recover"
    RELAPSE = "relapse"
    CLEAR = "clear"
    """Every finding cleared: observed health over the clear hold."""
    CLOSE = "close"
    """A person's `resolve`."""
    OUTLIVE = "outlive"
    """The fault still fires when a person's `resolve` runs out."""


INCIDENT: Mapping[tuple[IncidentState, IncidentEvent], IncidentState] = {
    (S.OPEN, IncidentEvent.SUPPRESS): S.SUPPRESSED,
    (S.OPEN, IncidentEvent.CONTAIN): S.CONTAINED,
    (S.OPEN, IncidentEvent.RECOVER): S.RECOVERED,
    (S.OPEN, IncidentEvent.CLEAR): S.RESOLVED,
    (S.OPEN, IncidentEvent.CLOSE): S.CLOSED,
    (S.SUPPRESSED, IncidentEvent.RELEASE): S.OPEN,
    (S.SUPPRESSED, IncidentEvent.CLEAR): S.RESOLVED,
    (S.SUPPRESSED, IncidentEvent.CLOSE): S.CLOSED,
    # A contained incident's signals may well look clear: that is the containment, not a recovery.
    (S.CONTAINED, IncidentEvent.CONTAIN): S.CONTAINED,
    (S.CONTAINED, IncidentEvent.CLEAR): S.CONTAINED,
    (S.CONTAINED, IncidentEvent.RECOVER): S.RECOVERED,
    (S.CONTAINED, IncidentEvent.CLOSE): S.CLOSED,
    (S.RECOVERED, IncidentEvent.RELAPSE): S.OPEN,
    (S.RECOVERED, IncidentEvent.CLEAR): S.RESOLVED,
    (S.RECOVERED, IncidentEvent.CLOSE): S.CLOSED,
    (S.CLOSED, IncidentEvent.OUTLIVE): S.OPEN,
}


class EscalationEvent(StrEnum):
    """What can happen to an escalation."""

    PAGE = "page"
    """A page to L1 is owed."""
    ACK = "ack"
    EXTEND = "extend"
    ESCALATE = "escalate"
    """A level's time passed unresolved, or a person asked for the next level."""
    REMIND = "remind"
    END = "end"
    """Resolved or closed."""


ESCALATION: Mapping[tuple[EscalationState, EscalationEvent], EscalationState] = {
    (E.QUIET, EscalationEvent.PAGE): E.PAGING,
    (E.QUIET, EscalationEvent.ACK): E.QUIET,
    (E.QUIET, EscalationEvent.ESCALATE): E.PAGING,
    (E.QUIET, EscalationEvent.END): E.ENDED,
    (E.PAGING, EscalationEvent.PAGE): E.PAGING,
    (E.PAGING, EscalationEvent.ACK): E.ACKED,
    (E.PAGING, EscalationEvent.EXTEND): E.ACKED,
    (E.PAGING, EscalationEvent.ESCALATE): E.PAGING,
    (E.PAGING, EscalationEvent.REMIND): E.PAGING,
    (E.PAGING, EscalationEvent.END): E.ENDED,
    # An ack stops reminders, never the clock: the next level's time still passes.
    (E.ACKED, EscalationEvent.PAGE): E.PAGING,
    (E.ACKED, EscalationEvent.ACK): E.ACKED,
    (E.ACKED, EscalationEvent.EXTEND): E.ACKED,
    (E.ACKED, EscalationEvent.ESCALATE): E.PAGING,
    (E.ACKED, EscalationEvent.END): E.ENDED,
    # Resolve beats a late ack: it is kept as a note, and changes nothing.
    (E.ENDED, EscalationEvent.ACK): E.ENDED,
    (E.ENDED, EscalationEvent.END): E.ENDED,
    (E.ENDED, EscalationEvent.PAGE): E.PAGING,
}


class IllegalTransition(Exception):
    """A move the table does not know; the message names state and event."""


def incident_after(state: IncidentState, event: IncidentEvent) -> IncidentState:
    """Next state of an incident. Raises `IllegalTransition`."""
    try:
        return INCIDENT[state, event]
    except KeyError:
        raise IllegalTransition(f"incident: no {event} in state {state}") from None


def escalation_after(state: EscalationState, event: EscalationEvent) -> EscalationState:
    """Next state of an escalation. Raises `IllegalTransition`."""
    try:
        return ESCALATION[state, event]
    except KeyError:
        raise IllegalTransition(f"escalation: no {event} in state {state}") from None
