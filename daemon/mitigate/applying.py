"""From a move to rows and jobs: the imperative half of a step, inside the step's own transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace

from daemon.incidents.change import Change, Job
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt
from daemon.incidents.transitions import IncidentEvent, incident_after
from daemon.mitigate import demotion, journal
from daemon.mitigate.debts import undone
from daemon.mitigate.facts import Rules, names_for
from daemon.mitigate.moves import Act, Ask, Done, GiveUp, Propose, Recheck, Step
from daemon.mitigate.step import CONFIRM
from daemon.store.unit import UnitOfWork
from remediations.outcome import OutcomeState
from remediations.run import Run, RunState
from remediations.spec import Playbook

PROBE_TIMEOUT = 10.0
"""Seconds after which a probe's job counts as unanswered."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A change, and what it means for people: the loop hands these to escalation in the same commit.

    `page`: why a person has to look. `heads_up`: (rung, contained). `recovered`: the rung that mended it.
    `demoted`: (rung, why) of one that asks first from now on.
    """

    change: Change
    page: str | None = None
    heads_up: tuple[str, bool] | None = None
    recovered: str | None = None
    demoted: tuple[str, str] | None = None
    recheck: bool = False


@dataclass(frozen=True, slots=True)
class Applying:
    """What applying a move needs beside the change it adds to."""

    uow: UnitOfWork
    rules: Rules
    epoch: int
    playbook: Playbook
    now: float

    def apply(self, change: Change, was: Run, done: Step) -> Progress:
        """`change` holds the incident and the new run; `was` is the run before the step."""
        heads_up, demoted = None, None
        if done.verdict is not None and was.attempt is not None:
            attempt = self.uow.attempts.get(was.attempt)
            if attempt is not None:
                judged = replace(attempt, verdict=str(done.verdict.verdict), verdict_at=self.now)
                said = demotion.demoted(
                    self.uow, judged, self.playbook.ladder[was.rung], self.rules, self.now
                )
                demoted = None if said is None else (judged.rung, said.text)
                events = change.events if said is None else (*change.events, said)
                change = replace(change, attempts=(judged,), events=events)
        change = self._settled(change, was)
        if done.contained is not None:
            change = self._contained(change, done.contained)
            heads_up = (done.contained, True)
        progress = self._move(change, done)
        return replace(progress, heads_up=heads_up or progress.heads_up, demoted=demoted)

    def _settled(self, change: Change, was: Run) -> Change:
        """Nobody saw it end, and a probe has told by now. What took effect is owed for like any other; what did not
        locks nothing.
        """
        attempt = self.uow.attempts.get(was.attempt) if was.attempt else None
        seen = was.evidence.get(CONFIRM)
        if was.state is RunState.UNDOING and attempt is not None and _run(change).state is not was.state:
            return self._taken_back(change, attempt)
        if was.state is not RunState.ACTING or attempt is None or attempt.outcome != OutcomeState.UNKNOWN:
            return change
        if seen is None or seen.at <= was.entered_at or (not seen.ok and seen.error):
            return change
        if seen.ok:
            return journal.took_effect(
                change, attempt, self.playbook, self.playbook.ladder[was.rung], self.now
            )
        return replace(change, unlocks=journal.own_locks(self.uow, attempt, self.now))

    def _taken_back(self, change: Change, attempt: Attempt) -> Change:
        """An undo that did not end well, and was seen to have taken effect all the same, pays and unlocks like any other."""
        if _run(change).state is RunState.GAVE_UP or attempt.outcome == OutcomeState.DONE:
            return change
        unlocked = replace(change, unlocks=journal.own_locks(self.uow, attempt, self.now))
        return undone(self.uow, unlocked, attempt, self.now)

    def _move(self, change: Change, done: Step) -> Progress:
        match done.move:
            case Ask() as move:
                return Progress(replace(change, jobs=self._questions(change, move)))
            case Act() as move:
                return self._act(change, move)
            case Propose(rung):
                return Progress(change, page=f"{rung.name} is proposed and needs approval")
            case GiveUp(reason):
                stepped = replace(_incident(change), stepped_back=True)
                return Progress(replace(change, incident=stepped), page=reason)
            case Done() as move:
                return self._recovered(change, move)
            case _:
                return Progress(change, recheck=isinstance(done.move, Recheck))

    def _questions(self, change: Change, move: Ask) -> tuple[Job, ...]:
        incident, run = _incident(change), _run(change)
        return tuple(
            Job(
                key=f"{incident.id}|{name}|{run.entered_at:.3f}",
                kind="probe",
                incident=incident.id,
                deadline_at=self.now + PROBE_TIMEOUT,
                args={"probe": check.probe, "ok": check.ok, "scope": dict(incident.scope)},
            )
            for name, check in move.checks.items()
        )

    def _act(self, change: Change, move: Act) -> Progress:
        incident, run = _incident(change), _run(change)
        if move.again is not None:
            attempt = self.uow.attempts.get(move.again)
            assert attempt is not None
            return Progress(journal.again(change, attempt, self.now))
        rows = journal.rows_of(self.uow, incident, run, self.playbook, self.now)
        names = names_for(incident, run, rows, self.rules, self.now)
        first = not any(attempt.mends for attempt in self.uow.attempts.of(incident.id))
        change = journal.intend(
            change, move, self.playbook, names, self.rules.actions, epoch=self.epoch, now=self.now
        )
        critical = first and change.attempts[-1].mends and incident.severity == "critical"
        return Progress(change, heads_up=(move.rung.name, False) if critical else None)

    def _recovered(self, change: Change, move: Done) -> Progress:
        incident, rung = _incident(change), self.playbook.ladder[_run(change).rung].name
        moved = replace(
            incident,
            state=incident_after(incident.state, IncidentEvent.RECOVER),
            recovered_at=self.now,
            recovered_by=rung,
            stepped_back=False,
        )
        text = f"Recovered by {rung}: {move.judgement.reason}."
        event = Event(incident.id, self.now, Kind.RECOVERED, text, {"by": rung})
        return Progress(replace(change, incident=moved, events=(*change.events, event)), recovered=rung)

    def _contained(self, change: Change, rung: str) -> Change:
        incident = _incident(change)
        state = incident_after(incident.state, IncidentEvent.CONTAIN)
        text = f"{rung} contains the harm; the fault itself is not mended."
        event = Event(incident.id, self.now, Kind.CONTAINED, text, {"rung": rung})
        return replace(change, incident=replace(incident, state=state), events=(*change.events, event))


def _incident(change: Change) -> Incident:
    assert change.incident is not None
    return change.incident


def _run(change: Change) -> Run:
    assert change.run is not None
    return change.run
