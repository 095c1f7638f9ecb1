"""Incidents that the daemon opens by itself: about a part of it, or about a drill. Opened and ended in one way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from config.scope import scope_of
from daemon.escalate.triggers import Ended
from daemon.incidents.change import Change
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Impact, Incident, IncidentState, incident_id
from daemon.incidents.transitions import INCIDENT, IncidentEvent, incident_after
from daemon.loop.ground import Ground
from daemon.store.unit import UnitOfWork


def opened(
    loop: Ground,
    uow: UnitOfWork,
    about: tuple[str, Mapping[str, str], str],
    text: str,
    now: float,
    *,
    data: Mapping[str, Any],
    playbook: str | None = None,
    actor: str = "fleetmend",
) -> Incident:
    """An open incident with its escalation; nobody is told yet. `about`: failure mode, labels, severity."""
    mode, labels, severity = about
    scope = scope_of(labels)
    incident = Incident(
        id=incident_id(mode, scope, now),
        failure_mode=mode,
        scope=scope,
        severity=severity,
        state=IncidentState.OPEN,
        began_at=now,
        detected_at=now,
        impact=Impact(1, 1, text),
        playbook=playbook,
    )
    event = Event(incident.id, now, Kind.DETECTED, text, data, actor)
    escalation = Escalation(incident.id, severity=severity)
    loop.apply(uow, Change(incident=incident, escalation=escalation, events=(event,)))
    return incident


def ended(loop: Ground, uow: UnitOfWork, before: Incident, text: str, now: float) -> None:
    """Resolved by itself, and whoever was paged hears of it; nothing when it cannot be, or is already."""
    if (before.state, IncidentEvent.CLEAR) not in INCIDENT:
        return
    state = incident_after(before.state, IncidentEvent.CLEAR)
    after = replace(before, state=state, resolved_at=now, resolved_by="self")
    event = Event(before.id, now, Kind.RESOLVED, text, {"by": "self"})
    kept = loop.apply(uow, Change(incident=after, events=(event,))).incident
    loop.tell(uow, kept or after, (Ended(text),), now)
