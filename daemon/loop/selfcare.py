"""The daemon's own troubles: bounds that were reached, workers that hang. Each is an incident with a page of its own.

Levels, not edges: what is in trouble now is compared with what stands open, so a restart loses nothing. Items that
were parked open their incident when they are parked (`tidy.park`); here it ends once they work again.
"""

from __future__ import annotations

from collections.abc import Mapping

from daemon.assess.grouping import BLIND_SEVERITY
from daemon.escalate.triggers import PageOwed
from daemon.incidents.model import DAEMON, Incident
from daemon.incidents.records import DebtState
from daemon.loop import calendars, own
from daemon.loop.ground import Ground
from daemon.loop.heart import HEARTBEAT
from daemon.store.unit import UnitOfWork

PART = "part"
"""Label of these incidents: what of the daemon is in trouble."""
HUNG = 16
"""Threads of one pool (twice its size) that hang on abandoned jobs before people are told."""
LATE_WITHIN = 600.0
"""Seconds within which three rounds longer than the time between two polls are a trouble."""
BOUND = "series_limit"
"""A kind of notice that is a trouble: something is not looked at."""
UNANSWERED = "unanswered"
"""Another: a scope that a query never answered for is missed by no detector."""
UNPAID_FOR = 86_400.0
"""Seconds after its due date for which a debt may stay unpaid until people are told."""
MILD = {HEARTBEAT: "medium", calendars.KIND: "medium"}
"""Parts that wake nobody, by their first word: the outside raises the alarm itself, or what was known still holds."""
UNANSWERED_FOR = 300.0
"""Seconds without an answer until people are told, as `no_data` has them by default."""


def look(loop: Ground, now: float) -> None:
    """Open what is new, end what is over. Costs nothing while all is well."""
    troubles = {**_troubles(loop, now), **_debts(loop, now)}
    if not troubles and not loop.ailing:
        return
    with loop.store.read() as uow:
        standing = own.known(uow, DAEMON, PART)
    told = {part for part, incident in standing.items() if not own.outlives(incident, now)}
    for part in troubles.keys() - told:
        loop.item(part, lambda uow, part=part: opened(loop, uow, part, troubles[part], now), now)  # type: ignore[misc]  # bound per round
    if loop.board is None or not loop.board.all_rounds_done:
        return  # just started: a trouble that lasts may not have shown itself yet
    resting = {*loop.parked.items(), *calendars.unsettled(loop), *(() if loop.heart.well else (HEARTBEAT,))}
    for part in standing.keys() - troubles.keys() - resting:
        loop.item(part, lambda uow, part=part: _ended(loop, uow, standing[part].id, now), now)  # type: ignore[misc]  # bound per round
    loop.ailing = bool(troubles or standing)


def opened(loop: Ground, uow: UnitOfWork, part: str, text: str, now: float) -> None:
    """An incident about a part of the daemon, and its page; nothing while one stands open, or a person's word on it."""
    loop.ailing = True
    before = own.known(uow, DAEMON, PART).get(part)
    if before is not None:
        own.outlived(loop, uow, before, text, now)
        return
    severity = MILD.get(part.partition(" ")[0], BLIND_SEVERITY)
    incident = own.opened(loop, uow, (DAEMON, {PART: part}, severity), text, now, data={PART: part})
    loop.tell(uow, incident, (PageOwed(text),), now)


def _troubles(loop: Ground, now: float) -> Mapping[str, str]:
    """Part of the daemon -> what is the matter with it."""
    found = {
        f"series of {notice.name}": f"{notice.text}: raise the limit or read less."
        for notice in loop.stages.detection.notices(now)
        if notice.kind == BOUND
    }
    found |= {
        f"queries of {notice.name}": f"A query is not answered: {notice.text}"
        for notice in loop.stages.detection.notices(now)
        if notice.kind == UNANSWERED and now - notice.since >= UNANSWERED_FOR
    }
    for name, pool in loop.pools.by_name().items():
        if pool.abandoned >= HUNG:
            found[f"workers of {name}"] = (
                f"{pool.abandoned} workers of {name} hang on jobs that were given up."
            )
    late = loop.late_rounds
    if len(late) == late.maxlen and now - late[0] < LATE_WITHIN:
        found["rounds"] = (
            "A round takes longer than the time between two polls: what is seen is late. Watch less."
        )
    found |= calendars.troubles(loop, now)
    found |= loop.proof.unproved
    if loop.heart.trouble:
        found[HEARTBEAT] = loop.heart.trouble
    if loop.stages.alerts.full:
        found["alerts"] = "More alerts fire than are counted; further ones are not looked at."
    return found


def _debts(loop: Ground, now: float) -> Mapping[str, str]:
    """Returns that failed, and those that nobody saw to for long after they were due; without a date, after they began."""
    with loop.store.read() as uow:
        unpaid = uow.debts.unpaid()
    found = {}
    for debt in unpaid:
        since = debt.opened_at if debt.due_at is None else debt.due_at
        part = f"debt {debt.rung} of {debt.incident}"
        if debt.state is DebtState.FAILED:
            found[part] = (
                f"{debt.rung} could not be given back: {debt.note}. Approve it again, or reject it when done."
            )
        elif now >= since + UNPAID_FOR:
            days, waits = (now - since) / UNPAID_FOR, f" ({debt.note})" if debt.note else ""
            found[part] = (
                f"{debt.rung} stands for {days:.0f} d and nothing gives it back: undo it by hand, then reject it."
                if debt.due_at is None
                else f"{debt.rung} should have been given back {days:.0f} d ago: it is {debt.state}{waits}."
            )
    return found


def _ended(loop: Ground, uow: UnitOfWork, incident: str, now: float) -> None:
    before = uow.incidents.get(incident)
    if before is not None:
        own.ended(loop, uow, before, f"{_part(before)} is well again.", now)


def _part(incident: Incident) -> str:
    return dict(incident.scope).get(PART, "")
