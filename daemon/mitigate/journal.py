"""The journal: intended -> started -> ended, each committed before the next thing happens.

A crash before `started` proves that nothing was done; a crash after it leaves an outcome nobody knows, settled by
the rung's `on_interrupt`, never by doing it again blindly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from config.scope import scope_key
from daemon.incidents.change import Change, Job
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import ASIDE, Attempt, FailoverLock, Phase
from daemon.mitigate.debts import opened, undone
from daemon.mitigate.facts import RECENT_CHANGES, Rows, prepared
from daemon.mitigate.moves import Act
from daemon.store.unit import UnitOfWork
from remediations.actions.registry import Actions
from remediations.guardrails.limits import switches
from remediations.outcome import Outcome, OutcomeState
from remediations.run import Run
from remediations.spec import Playbook, Rung, RungKind

SLACK = 5.0
"""Seconds beyond an action's own time-outs before its worker is given up."""
DEFAULT_TIME = 60.0
"""Seconds for actions that state no time-out of their own."""


def rows_of(uow: UnitOfWork, incident: Incident, run: Run, playbook: Playbook, now: float) -> Rows:
    """Everything the guardrails' facts are made from, read in this transaction."""
    since = now - playbook.guardrails.budget.per
    return Rows(
        incident=incident,
        escalation=uow.escalations.get(incident.id),
        mutes=tuple(uow.mutes.active(now)),
        in_flight=tuple(uow.attempts.in_flight()),
        locks=tuple(uow.locks.listed(now)),
        changes=tuple(uow.pipeline.recent(now - RECENT_CHANGES)),
        climb_ended_at=uow.runs.climb_ended_at(run.playbook or "", incident.scope),
        used=_Used(uow, since),
        storm=uow.incidents.storm(),
        used_overall=uow.attempts.all_disruptive_since,
        carried_out=lambda rung: _carried_out(uow, incident.id, rung),
        begun=lambda rung, climb: uow.attempts.get(_key(incident, climb, rung, Phase.DO, 1)) is not None,
        verdicts=lambda rung, since: uow.attempts.verdicts_since(run.playbook or "", rung, since),
    )


def _carried_out(uow: UnitOfWork, incident: str, rung: str) -> bool:
    """Done or unknown: whether it was carried out, or may have been."""
    took = {OutcomeState.DONE, OutcomeState.UNKNOWN}
    return any(
        attempt.rung == rung and attempt.phase is Phase.DO and attempt.outcome in took
        for attempt in uow.attempts.of(incident)
    )


class _Used(Mapping[tuple[str, str], tuple[float, ...]]):
    """Disruptive actions of the window, asked only for the targets that turn up."""

    def __init__(self, uow: UnitOfWork, since: float) -> None:
        self._uow, self._since = uow, since

    def __getitem__(self, key: tuple[str, str]) -> tuple[float, ...]:
        action, target = key
        return tuple(self._uow.attempts.disruptive_since(action, target, self._since))

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def intend(
    change: Change,
    move: Act,
    playbook: Playbook,
    names: Mapping[str, Any],
    actions: Actions,
    *,
    epoch: int,
    now: float,
) -> Change:
    """Write down what is about to be done; the worker is sent only after `started` was committed as well."""
    incident, run, rung = change.incident, change.run, move.rung
    assert incident is not None
    assert run is not None
    do = rung.do if move.phase is Phase.DO else rung.undo or {}
    lock = playbook.guardrails.lock
    action = prepared(actions, do, names, incident.scope)
    if isinstance(action, str):
        raise ActionNotReady(f"{rung.name}: {action}")
    attempt = Attempt(
        key=_key(incident, run.climb, rung.name, move.phase, run.tries),
        incident=incident.id,
        playbook=run.playbook or "",
        scope=incident.scope,
        rung=rung.name,
        kind=str(rung.kind) if action.mends else ASIDE,
        phase=move.phase,
        action=action.kind,
        args=action.rendered,
        targets=tuple(sorted(action.targets)),
        disruptive=action.disruptive,
        idempotent=action.idempotent,
        on_interrupt=str(rung.on_interrupt),
        epoch=epoch,
        intended_at=now,
        deadline_at=now + time_for(action.rendered),
        locks=(lock,) if lock and action.mends else (),
    )
    text = f"{rung.name}: {move.phase} is intended ({action.kind} on {', '.join(attempt.targets)})."
    data = {"rung": rung.name, "key": attempt.key, "action": action.kind, "args": action.rendered}
    event = Event(incident.id, now, Kind.INTENDED, text, data)
    return replace(
        change,
        run=replace(run, attempt=attempt.key, due_at=attempt.deadline_at),
        attempts=(*change.attempts, attempt),
        events=(*change.events, event),
    )


def _key(incident: Incident, climb: int, rung: str, phase: Phase, tries: int) -> str:
    return f"{incident.id}/{climb}/{rung}/{phase}/{tries}"


class ActionNotReady(Exception):
    """An action that was allowed cannot be made ready now; the item is parked with a page."""


def again(change: Change, attempt: Attempt, now: float) -> Change:
    """Repeat an interrupted idempotent action under its own key."""
    fresh = replace(
        attempt,
        intended_at=now,
        deadline_at=now + time_for(attempt.args),
        started_at=None,
        ended_at=None,
        outcome=None,
        effect="",
        output="",
    )
    text = f"{attempt.rung} is repeated under the same key: it may safely be done twice."
    event = Event(attempt.incident, now, Kind.INTENDED, text, {"rung": attempt.rung, "key": attempt.key})
    return replace(change, attempts=(*change.attempts, fresh), events=(*change.events, event))


def start(attempt: Attempt, now: float) -> Change:
    """Mark as started and hand over the job: the commit of this change is the last thing before the world is touched."""
    started = replace(attempt, started_at=now, deadline_at=now + time_for(attempt.args))
    job = Job(
        key=attempt.key,
        kind="action",
        incident=attempt.incident,
        deadline_at=started.deadline_at,
        args={"action": attempt.action, "rendered": dict(attempt.args)},
    )
    text = f"{attempt.rung}: {attempt.phase} started."
    event = Event(attempt.incident, now, Kind.STARTED, text, {"rung": attempt.rung, "key": attempt.key})
    return Change(attempts=(started,), events=(event,), jobs=(job,))


def ended(
    uow: UnitOfWork, attempt: Attempt, playbook: Playbook | None, outcome: Outcome, now: float
) -> Change:
    """Record what became of it; what took place opens its debt, and a switch that did or may have locks its targets."""
    closed = replace(
        attempt,
        ended_at=outcome.ended_at,
        outcome=str(outcome.state),
        effect=outcome.effect,
        output=outcome.output,
    )
    text = f"{attempt.rung}: {attempt.phase} {str(outcome.state).replace('_', ' ')} ({outcome.effect})."
    data = {
        "rung": attempt.rung,
        "key": attempt.key,
        "phase": str(attempt.phase),
        "outcome": str(outcome.state),
        "effect": outcome.effect,
        "output": outcome.output,
    }
    change = Change(attempts=(closed,), events=(Event(attempt.incident, now, Kind.ENDED, text, data),))
    rung = _rung(playbook, attempt.rung)
    if rung is None or playbook is None or attempt.phase is Phase.RETURN:
        return change  # a return pays a debt and opens none
    if outcome.state is OutcomeState.UNKNOWN and attempt.phase is Phase.DO:
        if not attempt.mends:
            return took_effect(change, attempt, playbook, rung, now)  # perhaps told: taken back all the same
        return replace(change, locks=_locks(attempt, playbook, rung, now))
    if outcome.state is not OutcomeState.DONE:
        return change
    if attempt.phase is Phase.UNDO:
        return undone(uow, replace(change, unlocks=own_locks(uow, attempt, now)), attempt, now)
    return took_effect(change, attempt, playbook, rung, now)


def took_effect(change: Change, attempt: Attempt, playbook: Playbook, rung: Rung, now: float) -> Change:
    """Its debt and its locks: as it ended well, or as a probe found after nobody had seen it end."""
    if rung.return_ is None and (rung.kind is not RungKind.CONTAIN or not attempt.mends):
        return change
    return replace(opened(change, attempt, rung, now), locks=_locks(attempt, playbook, rung, now))


def _locks(attempt: Attempt, playbook: Playbook, rung: Rung, now: float) -> tuple[FailoverLock, ...]:
    if not attempt.mends or not switches(rung) or not playbook.guardrails.failover_lock:
        return ()
    until = now + playbook.guardrails.failover_lock
    why = f"switched by {rung.name} for {scope_key(attempt.scope)}"
    return tuple(FailoverLock(target, until, attempt.incident, why) for target in attempt.targets)


def own_locks(uow: UnitOfWork, attempt: Attempt, now: float) -> tuple[str, ...]:
    """A switch that was undone, or never took place, locks nothing any more."""
    held = uow.locks.listed(now)
    return tuple(
        lock.target for lock in held if lock.incident == attempt.incident and lock.target in attempt.targets
    )


def interrupted(attempt: Attempt, now: float) -> Outcome:
    """What is known of an attempt whose worker is gone: not started is not done; started is unknown."""
    if attempt.started_at is None:
        return Outcome(OutcomeState.NOT_DONE, "interrupted before it was started", "", now)
    return Outcome(OutcomeState.UNKNOWN, "interrupted: nobody saw it end", "", now)


def time_for(rendered: Mapping[str, Any]) -> float:
    """Seconds a worker gets: the action's own time-outs and some slack."""
    poll = rendered.get("poll") or {}
    own = rendered.get("timeout")
    return float(DEFAULT_TIME if own is None else own) + float(poll.get("within", 0.0)) + SLACK


def _rung(playbook: Playbook | None, name: str) -> Rung | None:
    ladder = () if playbook is None else playbook.ladder
    return next((rung for rung in ladder if rung.name == name), None)
