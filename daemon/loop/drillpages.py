"""A scheduled drill that failed is an incident with one page, until the same drill passes.

It is of its own failure mode and carries the playbook's name and the scope as labels, so that a silence or maintenance
of either quiets it like any other.
"""

from __future__ import annotations

from collections.abc import Collection

from config.section import Severity
from daemon.escalate.triggers import PageOwed
from daemon.incidents.drills import Drill, DrillState, Grade
from daemon.incidents.model import DRILL
from daemon.loop import own
from daemon.loop.ground import Ground
from daemon.store.unit import UnitOfWork

MOST_TOLD = 3
"""Failures named in the page; the drill itself has them all."""
PLAN = "drill"
"""Label of these incidents: which schedule."""


def told(loop: Ground, uow: UnitOfWork, row: Drill, now: float) -> None:
    """What the result of a scheduled drill means for people."""
    standing = own.known(uow, DRILL, PLAN).get(row.plan)
    if row.state is DrillState.PASSED:
        if standing is not None:
            own.ended(loop, uow, standing, f"The drill of {row.playbook} passes again.", now)
        return
    text = f"A drill of {row.playbook} failed: {_why(row)}. If its failure came now, this would not work."
    if standing is not None:
        own.outlived(loop, uow, standing, text, now)
        return
    about = (DRILL, {**_labels(row), PLAN: row.plan}, str(Severity.MEDIUM))
    data = {"drill": row.id, "severity": str(Severity.MEDIUM)}
    incident = own.opened(loop, uow, about, text, now, data=data, playbook=row.playbook)
    loop.tell(uow, incident, (PageOwed(text),), now)


def forget(loop: Ground, uow: UnitOfWork, plans: Collection[str], now: float) -> None:
    """What is not on the schedule any more is nobody's failure."""
    for incident in uow.incidents.open():
        plan = dict(incident.scope).get(PLAN, "")
        by_schedule = " " in plan  # a drill for real carries its own id there
        if incident.failure_mode == DRILL and by_schedule and plan not in plans:
            own.ended(loop, uow, incident, f"The drill {plan} is not on the schedule any more.", now)


def _labels(row: Drill) -> dict[str, str]:
    return dict(row.wanted[0]) if row.wanted else {}


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
