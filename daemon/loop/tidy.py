"""What every step looks after beside the stages: late workers, waiting questions, debts, pauses, parked items."""

from __future__ import annotations

from functools import partial

from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.triggers import HeadsUp
from daemon.incidents.change import Change, Job
from daemon.incidents.events import Event, Kind
from daemon.incidents.records import Debt, DebtState
from daemon.loop import calendars, drills, handoffs, proving, receive, say, selfcare
from daemon.loop.ground import Ground
from daemon.loop.heart import HEARTBEAT
from daemon.loop.messages import Answered, Beaten, CalendarRead, Drilled, Performed, Posted
from daemon.mitigate import journal, paying, step
from daemon.mitigate.facts import paused
from daemon.store.unit import UnitOfWork
from remediations.outcome import Outcome, OutcomeState
from remediations.run import Evidence


def up(loop: Ground, now: float) -> None:
    """End of a step."""
    _late(loop, now)
    _waiting(loop, now)
    _pauses(loop, now)
    _debts(loop, now)
    _well_again(loop, now)
    proving.look(loop, now)
    selfcare.look(loop, now)
    drills.look(loop, now)
    calendars.look(loop, now)
    handoffs.look(loop, now)


def park(loop: Ground, name: str, error: Exception, now: float) -> None:
    """One item raised: it rests, the others go on, and people are told plainly, once; again only after they closed it."""
    parked = loop.parked.park(name, f"{type(error).__name__}: {error}", now)
    say.parked(name, error, parked.until)
    loop.metrics.items_parked.set(len(loop.parked))
    if name != "parked":
        text = f"{name} could not be worked on and rests: {parked.error}. Look at it by hand."
        loop.item("parked", lambda uow: selfcare.opened(loop, uow, name, text, now), now)


def interrupted(loop: Ground, now: float) -> None:
    """At start: questions, attempts and deliveries of an earlier life, whose workers are gone."""
    with loop.store.read() as uow:
        lost = [attempt for attempt in uow.attempts.in_flight() if attempt.outcome is None]
        asking = [run for run in uow.runs.active() if run.asked]
    for run in asking:
        loop.item(run.id, partial(loop.apply, change=Change(run=step.interrupted(run))), now)
    for attempt in lost:
        receive.performed(loop, attempt.key, journal.interrupted(attempt, now), now)
    loop.item("post", lambda uow: loop.apply(uow, loop.stages.escalate.restart(uow, now)), now)


def _late(loop: Ground, now: float) -> None:
    """Jobs past their deadline: what became of them is unknown, and said so; their slots have been replaced."""
    for pool in loop.pools.by_name().values():
        for job in pool.overdue(now):
            say.abandoned(job)
            _lost(loop, job, now)


def _lost(loop: Ground, job: Job, now: float) -> None:
    if job.kind == "action":
        outcome = Outcome(OutcomeState.UNKNOWN, "no answer before its deadline", "", now)
        loop.unheard.append(Performed(job.key, outcome))
    elif job.kind == "post":
        loop.unheard.append(Posted(job.key, Receipt(ReceiptKind.AMBIGUOUS, "no answer in time")))
    elif job.kind == "probe":
        loop.unheard.append(Answered(job.key, Evidence(now, ok=False, error="no answer in time")))
    elif job.kind == drills.KIND:
        loop.unheard.append(Drilled(drills.drill_of(job), error="no answer in time"))
    elif job.kind == calendars.KIND:
        loop.unheard.append(CalendarRead(calendars.schedule_of(job), error="no answer in time"))
    elif job.kind == HEARTBEAT:
        loop.unheard.append(Beaten("no answer in time"))
    else:
        loop.stages.detection.lost(job, now)


def _waiting(loop: Ground, now: float) -> None:
    waiting, loop.waiting = loop.waiting, []
    for job in waiting:
        if job.kind == "probe" and now >= job.deadline_at:
            _lost(loop, job, now)  # whoever asked waits for an answer
    loop.submit([job for job in waiting if now < job.deadline_at])


def _pauses(loop: Ground, now: float) -> None:
    """A pause over everything stops also what has a slot but has not acted yet."""
    with loop.store.read() as uow:
        mutes = uow.mutes.active(now)
    loop.control.pause("a pause over everything" if paused(mutes, now) else None)


def _debts(loop: Ground, now: float) -> None:
    mitigate = loop.stages.mitigate
    with loop.store.read() as uow:
        due = [debt.id for debt in uow.debts.due(now) if debt.state in paying.MOVING]

    def pay(uow: UnitOfWork, debt_id: str) -> None:
        debt = uow.debts.get(debt_id)
        change = None if debt is None else paying.step(uow, debt, mitigate.rules, loop.control, now)
        if change is None:
            return
        loop.apply(uow, change)
        incident = uow.incidents.get(change.debts[0].incident) if change.debts else None
        if incident is not None and change.debts[0].state is DebtState.PROPOSED:
            loop.tell(uow, incident, (_asks(change.debts[0]),), now)

    for debt_id in due:
        loop.item(debt_id, lambda uow, d=debt_id: pay(uow, d), now)  # type: ignore[misc]  # bound per round


def _asks(debt: Debt) -> HeadsUp:
    """A return that asks has a day until it is a page: whoever reads heads-ups hears of it at once."""
    how = f"fleetmend approve {debt.incident} --rung {debt.rung}"
    return HeadsUp(debt.rung, asks=f"{debt.rung} can be given back: {how} (or reject it)")


def _well_again(loop: Ground, now: float) -> None:
    """The store writes again: record what was done while it did not."""
    if loop.sick_since is None:
        return
    text = "The store could not be written; nothing was done meanwhile, and people were told directly."
    event = Event("-", now, Kind.DAEMON, text, {"what": "store_sick", "since": loop.sick_since})
    if loop.item("well", lambda uow: loop.apply(uow, Change(events=(event,))), now):
        loop.sick_since = None
        loop.submit(loop.host.store_well(now))
