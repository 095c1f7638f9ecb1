"""Storms: looked at after every assessment and before any rung. The state is an incident, so a restart keeps it."""

from __future__ import annotations

from functools import partial

from daemon.assess import storms
from daemon.assess.storms import Gathered, Turn
from daemon.escalate.triggers import Ended, PageOwed, SeverityRaised, Trigger
from daemon.incidents.change import Change
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident
from daemon.loop import triggers
from daemon.loop.ground import Ground
from daemon.mitigate.facts import RECENT_CHANGES, mutings
from daemon.store.unit import UnitOfWork


def look(loop: Ground, now: float) -> None:
    """Enter, keep or leave the storm. Nothing is decided before every detector finished a round since start."""
    board = loop.board
    if board is None or not board.all_rounds_done:
        return
    found_open = loop.standing.open(loop.store)
    standing, last = found_open.incidents, found_open.last_storm
    with loop.store.read() as uow:
        planned = [mute for mute in uow.mutes.active(now) if mute.kind != "pause"]
    if not standing:
        return
    broken = [i for i in standing if not any(mutings(planned, i, i.playbook, now))]
    found = storms.gathered(broken, board.populations)
    storm = None if last is None or last.ended else last
    if storm is None and last is not None and now < (last.quiet_until or now):
        return  # a person closed it: it is theirs until then
    what = storms.turn(storm, found, loop.stages.storm, now)
    if what is not Turn.STAY or (storm is not None and len(found.incidents) > storm.impact.scopes):
        loop.item("storm", partial(_change, loop, found=found, what=what, now=now), now)


def _change(loop: Ground, uow: UnitOfWork, *, found: Gathered, what: Turn, now: float) -> None:
    changes = uow.pipeline.recent(now - RECENT_CHANGES)
    before = uow.incidents.storm()
    if before is None:
        _enter(loop, uow, storms.entered(found, changes, now), now)
        return
    after = storms.moved(before, what, now)
    if what in {Turn.STAY, Turn.RISE}:
        after = storms.grown(after, found, changes, now)
    if after == before:
        return
    events = [] if what is Turn.STAY else [_said(loop, after, what, now)]
    kept = loop.apply(uow, Change(incident=after, events=tuple(events))).incident or after
    news: list[Trigger] = [] if kept.severity == before.severity else [SeverityRaised(kept.severity)]
    if kept.ended:
        news.append(Ended(events[0].text))
    if news:
        loop.tell(uow, kept, news, now)
    if kept.ended:
        release(loop, uow, now)


def release(loop: Ground, uow: UnitOfWork, now: float) -> None:
    """What held pages is over: they are looked at again, and go out where the fault is still there."""
    for held in loop.stages.escalate.held(uow):
        incident = uow.incidents.get(held)
        if incident is not None:
            loop.tell(uow, incident, (triggers.TICK,), now)


def _enter(loop: Ground, uow: UnitOfWork, storm: Incident, now: float) -> None:
    text = f"A storm: {storm.impact.text}"
    event = Event(storm.id, now, Kind.DETECTED, text, {"severity": storm.severity})
    escalation = Escalation(storm.id, severity=storm.severity)
    kept = loop.apply(uow, Change(incident=storm, escalation=escalation, events=(event,))).incident
    minutes = loop.stages.storm.leave_after / 60
    reason = (
        f"{text} Only storm-safe rungs are begun, and this page stands for all of them. "
        f"It ends {minutes:g} min after they do, or by `resolve {storm.id}`; ladders go on from there."
    )
    loop.tell(uow, kept or storm, (PageOwed(reason),), now)


def _said(loop: Ground, storm: Incident, what: Turn, now: float) -> Event:
    minutes = loop.stages.storm.leave_after / 60
    kind, text = {
        Turn.SETTLE: (
            Kind.RECOVERED,
            f"Below the bounds of a storm; it is left after {minutes:g} min of that.",
        ),
        Turn.RISE: (Kind.RELAPSED, "Above the bounds of a storm again."),
        Turn.LEAVE: (Kind.RESOLVED, "The storm is over: rungs are begun as usual, and held pages go out."),
    }[what]
    return Event(storm.id, now, kind, text, {"by": "self"})
