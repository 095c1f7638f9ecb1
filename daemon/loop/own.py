"""Incidents that the daemon opens by itself: about a part of it, or about a drill. Opened and ended in one way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from config.scope import scope_of
from daemon.escalate.triggers import Ended, PageOwed
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


def known(uow: UnitOfWork, mode: str, label: str) -> Mapping[str, Incident]:
    """By the value of this label: what stands open, and what a person closed while it was so."""
    found = (i for i in (*uow.incidents.quieted(), *uow.incidents.open()) if i.failure_mode == mode)
    return {dict(incident.scope).get(label, ""): incident for incident in found}


def outlives(before: Incident, now: float) -> bool:
    """Whether what a person closed is to be told of again, if it is still so."""
    return before.ended and before.quiet_until is not None and now >= before.quiet_until


def outlived(loop: Ground, uow: UnitOfWork, before: Incident, text: str, now: float) -> None:
    """Still so: what a person closed is open again, with a page, once the time they gave is over."""
    if not outlives(before, now):
        return
    after = replace(
        before,
        state=incident_after(before.state, IncidentEvent.OUTLIVE),
        quiet_until=None,
        resolved_at=None,
        resolved_by=None,
    )
    said = f"Still so after it was closed by {before.resolved_by}: {text}"
    event = Event(before.id, now, Kind.RELAPSED, said, {"closed_by": before.resolved_by})
    kept = loop.apply(uow, Change(incident=after, events=(event,))).incident
    loop.tell(uow, kept or after, (PageOwed(said, again=True),), now)


def ended(loop: Ground, uow: UnitOfWork, before: Incident, text: str, now: float) -> None:
    """Resolved by itself, and whoever was paged hears of it; nothing when it cannot be, or is already.

    What a person closed stays as it is, and is a new incident when it comes again.
    """
    if before.ended and before.quiet_until is not None:
        loop.apply(uow, Change(incident=replace(before, quiet_until=None)))
    if (before.state, IncidentEvent.CLEAR) not in INCIDENT:
        return
    state = incident_after(before.state, IncidentEvent.CLEAR)
    after = replace(before, state=state, resolved_at=now, resolved_by="self")
    event = Event(before.id, now, Kind.RESOLVED, text, {"by": "self"})
    kept = loop.apply(uow, Change(incident=after, events=(event,))).incident
    loop.tell(uow, kept or after, (Ended(text),), now)
