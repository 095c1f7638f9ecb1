"""Drills of the running daemon: asked for by people, or due by `drills.schedule`; questions by workers, judged here.

Levels, not edges: a schedule is due while its newest time is later than its newest drill, so one that was missed (the
daemon was down, a storm stood) is caught up once, and never twice. A drill that was under way at a restart is asked anew.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from functools import partial
from itertools import islice

from config.drills import DrillPlan, DrillsSpec
from config.problems import did_you_mean
from config.scope import Scope, scope_key, scope_of
from daemon import log
from daemon.escalate.reachable import levels_reached
from daemon.escalate.wallclock import last_weekly
from daemon.incidents.change import Job
from daemon.incidents.drills import OVER, Check, Drill, DrillState, Grade, ScopeDrill
from daemon.incidents.records import Order
from daemon.loop import drillpages, realdrills
from daemon.loop.ground import Ground
from daemon.loop.messages import Drilled
from daemon.mitigate.drill import MOST_SCOPES, Case, judged, scopes_of
from daemon.mitigate.facts import mutings
from daemon.mitigate.rehearsal import Rehearsed
from daemon.store.unit import UnitOfWork

KIND = "drill"
"""Of the jobs that ask the questions of one drill, at all its scopes."""
SCHEDULE = "schedule"
"""Who asked, where no person did."""
PLAN_EVERY = 15.0
"""Seconds between two looks at the schedule."""
WITHIN = 60.0
ASK_EVERY = 2.0
"""Seconds between two rounds of probes of a drill for real."""
PER_SCOPE = 15.0
"""Seconds that a worker has for a drill, and more for each scope."""


def look(loop: Ground, now: float) -> None:
    """Begin what is due. Costs nothing while nothing is."""
    spec, mind = loop.stages.drills.spec, loop.drills
    if loop.control.draining:
        return
    rounds_done = loop.board is not None and loop.board.all_rounds_done
    if not 0.0 <= now - mind.planned_at < PLAN_EVERY and rounds_done:
        mind.planned_at = now
        if spec.schedule or mind.scheduled:
            loop.item("drills", partial(_plan, loop, spec=spec, now=now), now)
        mind.scheduled = bool(spec.schedule)
    if not mind.wake or not rounds_done:
        return
    with loop.store.read() as uow:
        rows = uow.drills.under_way()
    mind.wake = bool(rows)
    for row in rows:
        gone = row.playbook not in loop.stages.mitigate.rules.playbooks
        if row.state is DrillState.REAL and (gone or not realdrills.asks(row)):
            loop.item(row.id, partial(_go_on, loop, drill_id=row.id, seen=None, now=now), now)
        elif row.id not in mind.sent and loop.pools.sources.free() > 1 and _in_time(loop, row, now):
            _send(loop, row, now)


def asked(loop: Ground, uow: UnitOfWork, order: Order, now: float) -> tuple[str, bool]:
    """A person's order: (the drill's id, or why not; whether it was taken)."""
    name = str(order.args.get("playbook"))
    books = loop.stages.mitigate.rules.playbooks
    if name not in books:
        return f"there is no playbook {name!r}; {did_you_mean(name, books)}".rstrip("; "), False
    labels, rung = dict(order.args.get("scope", {})), str(order.args.get("rung", ""))
    for_real = bool(order.args.get("for_real"))
    if rung and rung not in {one.name for one in books[name].ladder}:
        return f"{name} has no rung {rung!r}", False
    if for_real and (why := realdrills.refusal(loop, uow)):
        return why, False
    drill = Drill(
        id=f"dr-{order.id}",
        playbook=name,
        at=now,
        who=order.who,
        state=DrillState.ASKED,
        wanted=(scope_of(labels),) if labels else (),
        rung=rung,
        for_real=for_real,
    )
    if for_real and len(known := _scopes(loop, drill, now)) != 1:
        named = ", ".join(scope_key(scope) for scope in known[:5]) or "none is known"
        return f"name the one scope at which it is carried out: {named}", False
    uow.drills.save(drill)
    loop.drills.wake = True
    return drill.id, True


def heard(loop: Ground, message: Drilled, now: float) -> bool:
    """The questions were asked, or could not be: judge, and keep what it came to. False: it was not kept."""
    loop.drills.sent.discard(message.drill)
    return loop.item(message.drill, partial(_judge, loop, message=message, now=now), now)


def drill_of(job: Job) -> str:
    """The drill whose questions a job asks."""
    return job.key.partition("|")[2]


def key_of(plan: DrillPlan) -> str:
    """What tells one schedule from another, and stays the same for as long as it is written the same."""
    return f"{plan.playbook} {scope_key(scope_of(plan.scope))} {plan.at}"


# ------------------------------------------------------------------ the schedule


def _plan(loop: Ground, uow: UnitOfWork, *, spec: DrillsSpec, now: float) -> None:
    drillpages.forget(loop, uow, [key_of(plan) for plan in spec.schedule], now)
    standing = {incident.failure_mode for incident in uow.incidents.open()}
    storm = uow.incidents.storm() is not None
    for plan in spec.schedule:
        key, book = key_of(plan), loop.stages.mitigate.rules.playbooks.get(plan.playbook)
        last = uow.drills.last_of(key)
        if last is None:
            first = Drill(_named(key, 0.0), plan.playbook, now, SCHEDULE, DrillState.PLANNED, plan=key)
            uow.drills.save(first)
        elif (
            last.state in {*OVER, DrillState.PLANNED}
            and last_weekly(spec.timezone, plan.at, now) > last.at
            and not storm
            and (book is None or book.failure_mode not in standing)
        ):
            wanted = (scope_of(plan.scope),) if plan.scope else ()
            drill = Drill(_named(key, now), plan.playbook, now, SCHEDULE, DrillState.ASKED, key, wanted)
            uow.drills.save(drill)
            loop.drills.wake = True


def _named(plan: str, at: float) -> str:
    """Short enough to type, and the same for one schedule at one time."""
    digest = hashlib.blake2s(f"{plan}|{at:.3f}".encode(), digest_size=5).digest()
    return f"dr-{base64.b32encode(digest).decode().lower()[:6]}"


# ------------------------------------------------------------------ asking


def _send(loop: Ground, row: Drill, now: float) -> None:
    """Hand the questions to a worker."""
    if row.playbook not in loop.stages.mitigate.rules.playbooks:
        gone = f"there is no playbook {row.playbook} any more"
        loop.item(row.id, partial(_refuse, loop, drill_id=row.id, why=gone, now=now), now)
        return
    with loop.store.read() as uow:
        scopes = [scope for scope in _scopes(loop, row, now) if not _muted(loop, uow, row, scope, now)]
        tasks = [
            Case.of(uow, row.playbook, scope, loop.stages.mitigate.rules, now).task() for scope in scopes
        ]
    loop.drills.sent.add(row.id)
    within = WITHIN + PER_SCOPE * len(tasks)
    loop.pools.sources.submit(Job(f"{KIND}|{row.id}", KIND, "-", now + within, {"tasks": tasks}))


def _scopes(loop: Ground, row: Drill, now: float) -> tuple[Scope, ...]:
    stages = loop.stages
    labels = stages.drills.label_sets.get(row.playbook, ((),))
    known = scopes_of(
        row.playbook, stages.mitigate.rules, labels, lambda label: stages.detection.known_values(label, now)
    )
    return tuple(islice(row.wanted or known, MOST_SCOPES))


def _muted(loop: Ground, uow: UnitOfWork, row: Drill, scope: Scope, now: float) -> list[str]:
    """Why a scheduled drill leaves a scope alone: work is going on there, and people know."""
    if not row.plan:
        return []
    incident = Case.of(uow, row.playbook, scope, loop.stages.mitigate.rules, now).incident
    found = mutings(uow.mutes.active(now), incident, row.playbook, now)
    return [f"{one.kind} by {one.owner}: {one.reason}" for one in found if one.kind != "pause"]


# ------------------------------------------------------------------ judging


def _refuse(loop: Ground, uow: UnitOfWork, *, drill_id: str, why: str, now: float) -> None:
    row = uow.drills.get(drill_id)
    if row is not None and row.state not in OVER:
        _keep(loop, uow, replace(row, state=DrillState.REFUSED, ended_at=now, note=why), now)


def _judge(loop: Ground, uow: UnitOfWork, *, message: Drilled, now: float) -> None:
    row = uow.drills.get(message.drill)
    if row is not None and row.state is DrillState.REAL:
        seen = message.rehearsed[0] if message.rehearsed else None
        _go_on(loop, uow, drill_id=row.id, seen=seen, now=now)
        return
    if row is None or row.state is not DrillState.ASKED:
        return
    rules = loop.stages.mitigate.rules
    if message.error or row.playbook not in rules.playbooks:
        why = message.error or f"there is no playbook {row.playbook} any more"
        _refuse(loop, uow, drill_id=row.id, why=why, now=now)
        return
    found = []
    for seen in message.rehearsed:
        case = Case.of(uow, row.playbook, seen.scope, rules, now)
        setup = loop.stages.escalate.setup
        pages = levels_reached(setup.policy_for(case.incident), setup.directory, now)
        found.append(judged(case, seen, loop.control, pages).only(row.rung))
    done = {part.scope for part in found}
    for scope in _scopes(loop, row, now):
        reasons = _muted(loop, uow, row, scope, now) if scope not in done else []
        if reasons:
            found.append(ScopeDrill(scope, (Check("maintenance", Grade.HELD, "; ".join(reasons)),)))
    judged_row = replace(row, scopes=tuple(found)).over(now)
    if row.for_real and judged_row.state is DrillState.PASSED:
        judged_row = realdrills.begin(loop, uow, replace(row, scopes=tuple(found)), message.rehearsed[0], now)
    _keep(loop, uow, judged_row, now)


def _go_on(loop: Ground, uow: UnitOfWork, *, drill_id: str, seen: Rehearsed | None, now: float) -> None:
    """One step of a drill for real."""
    row = uow.drills.get(drill_id)
    if row is None or row.state is not DrillState.REAL:
        return
    after = realdrills.advance(loop, uow, row, seen, now)
    if after.state in OVER:
        whole = after.scopes[0]
        after = replace(after, scopes=(replace(whole, checks=(*whole.checks, *realdrills.results(after))),))
    if after != row:
        _keep(loop, uow, after, now)


def _in_time(loop: Ground, row: Drill, now: float) -> bool:
    """Probes of a drill for real are not asked more often than they may have something new to say."""
    if row.state is not DrillState.REAL:
        return True
    due = now >= loop.drills.asked_at.get(row.id, float("-inf")) + ASK_EVERY
    if due:
        loop.drills.asked_at[row.id] = now
    return due


def _keep(loop: Ground, uow: UnitOfWork, row: Drill, now: float) -> None:
    """Write it down, count it, and tell people where a schedule asked."""
    uow.drills.save(row)
    if row.state not in OVER:
        return
    passed, of = row.score
    loop.metrics.drills.labels(row.playbook, str(row.state)).inc()
    if of:
        loop.metrics.drill_score.labels(row.playbook).set(passed / of)
    loop.metrics.drill_last_at.labels(row.playbook).set(now)
    log.get().info(
        log.DRILLED, drill=row.id, playbook=row.playbook, result=str(row.state), passed=passed, of=of
    )
    if row.plan:
        drillpages.told(loop, uow, row, now)
