"""A scheduled drill that failed is an incident with one page, until the same drill passes.

It is of its own failure mode and carries the playbook's name and the scope as labels, so that a silence or maintenance
of either quiets it like any other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from config.scope import scope_of
from config.section import Severity
from daemon.escalate.triggers import Ended, PageOwed
from daemon.incidents.change import Change
from daemon.incidents.drills import Drill, DrillState, Grade
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import DRILL, Impact, Incident, IncidentState, incident_id
from daemon.incidents.transitions import INCIDENT, IncidentEvent, incident_after
from daemon.loop.ground import Ground
from daemon.store.unit import UnitOfWork

MOST_TOLD = 3
"""Failures named in the page; the drill itself has them all."""
PLAN = "drill"
"""Label of these incidents: which schedule."""


def told(loop: Ground, uow: UnitOfWork, row: Drill, now: float) -> None:
    """What the result of a scheduled drill means for people."""
    standing = _standing(uow, row.plan)
    if row.state is DrillState.PASSED:
        if standing is not None:
            _end(loop, uow, standing, f"The drill of {row.playbook} passes again.", now)
        return
    if standing is not None:
        return
    scope = scope_of({**_labels(row), PLAN: row.plan})
    text = f"A drill of {row.playbook} failed: {_why(row)}. If its failure came now, this would not work."
    incident = Incident(
        id=incident_id(DRILL, scope, now),
        failure_mode=DRILL,
        scope=scope,
        severity=str(Severity.MEDIUM),
        state=IncidentState.OPEN,
        began_at=now,
        detected_at=now,
        impact=Impact(1, 1, text),
        playbook=row.playbook,
    )
    event = Event(incident.id, now, Kind.DETECTED, text, {"drill": row.id, "severity": incident.severity})
    escalation = Escalation(incident.id, severity=incident.severity)
    loop.apply(uow, Change(incident=incident, escalation=escalation, events=(event,)))
    loop.tell(uow, incident, (PageOwed(text),), now)


def forget(loop: Ground, uow: UnitOfWork, plans: Collection[str], now: float) -> None:
    """What is not on the schedule any more is nobody's failure."""
    for incident in uow.incidents.open():
        plan = dict(incident.scope).get(PLAN, "")
        by_schedule = " " in plan  # a drill for real carries its own id there
        if incident.failure_mode == DRILL and by_schedule and plan not in plans:
            _end(loop, uow, incident, f"The drill {plan} is not on the schedule any more.", now)


def _labels(row: Drill) -> dict[str, str]:
    return dict(row.wanted[0]) if row.wanted else {}


def _standing(uow: UnitOfWork, plan: str) -> Incident | None:
    found = (i for i in uow.incidents.open() if i.failure_mode == DRILL)
    return next((i for i in found if dict(i.scope).get(PLAN) == plan), None)


def _why(row: Drill) -> str:
    failed = [
        f"{rung}{check.name}: {check.text}"
        for part in row.scopes
        for rung, checks in (("", part.checks), *((f"{r.name} ", r.checks) for r in part.rungs))
        for check in checks
        if check.grade is Grade.FAILED
    ]
    if not failed:
        return row.note
    more = f" and {len(failed) - MOST_TOLD} more" if len(failed) > MOST_TOLD else ""
    return "; ".join(failed[:MOST_TOLD]) + more


def _end(loop: Ground, uow: UnitOfWork, before: Incident, text: str, now: float) -> None:
    if (before.state, IncidentEvent.CLEAR) not in INCIDENT:
        return
    state = incident_after(before.state, IncidentEvent.CLEAR)
    after = replace(before, state=state, resolved_at=now, resolved_by="self")
    event = Event(before.id, now, Kind.RESOLVED, text, {"by": "self"})
    kept = loop.apply(uow, Change(incident=after, events=(event,))).incident
    loop.tell(uow, kept or after, (Ended(text),), now)
