"""The stage the loop calls inside a transaction: rows -> facts -> step -> rows and jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Protocol

from config.scope import Scope
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import BLIND, DAEMON, DRILL, STORM, Incident, IncidentState
from daemon.incidents.records import Attempt
from daemon.mitigate import journal
from daemon.mitigate.applying import Applying, Progress
from daemon.mitigate.facts import Control, Rules, facts_of, mutings
from daemon.mitigate.moves import Approval, Recheck, Situation, Step
from daemon.mitigate.reloaded import Lost, on_ladder, stepped_back
from daemon.mitigate.step import CONFIRM, begin, step
from daemon.store.unit import UnitOfWork
from detectors.modes import MODES
from remediations.guardrails.calm import storm_reason
from remediations.guardrails.facts import Cause
from remediations.run import IN_FLIGHT, RUN, Evidence, Run, RunEvent, RunState, run_after
from remediations.spec import Playbook
from remediations.verification import NOTHING_SEEN, Reading


class Sight(Protocol):
    """What mitigation asks detection."""

    def fault(self, detectors: Sequence[str], scope: Scope, now: float) -> Reading: ...

    def readings(
        self, detectors: Sequence[str], scope: Scope, since: float, now: float
    ) -> tuple[Reading, ...]: ...

    def fresh_within(self, detectors: Sequence[str]) -> float: ...


class Mitigate:
    """Carries incidents up their ladders. Single-threaded; touches nothing but the unit of work it is handed."""

    def __init__(self, rules: Rules, sight: Sight, control: Control) -> None:
        self.rules, self._sight, self._control = rules, sight, control

    def advance(
        self,
        uow: UnitOfWork,
        incident: Incident,
        causes: Sequence[Cause],
        now: float,
        approval: Approval | None = None,
    ) -> Progress | None:
        """One step of this incident's run; None when there is nothing to do."""
        run = uow.runs.get(incident.id)
        if incident.failure_mode in {BLIND, DAEMON, STORM, DRILL}:
            return None
        if run is None:
            return self._first(uow, incident, causes, now)
        if incident.ended:
            return self._finish(uow, incident, run, now)
        if self._holds_still(incident, run) or _waits_for_storm(uow, run):
            return None
        return self._climb(uow, incident, run, causes, now, approval)

    def proposed(self, run: Run | None) -> str | None:
        """The name of the rung that waits for a person's word; None when none does."""
        if run is None or run.state is not RunState.PROPOSED:
            return None
        if run.at:
            return run.at
        playbook = self.rules.playbooks.get(run.playbook or "")
        if playbook is None or run.rung >= len(playbook.ladder):
            return ""  # it was removed from the configuration since
        return playbook.ladder[run.rung].name

    def stopped(self, uow: UnitOfWork, attempt: Attempt, now: float) -> str | None:
        """Why an action that is written down must not begin now, whatever phase it is; None when it may.

        What was allowed a moment ago may have been paused since: a rung, its undo, its repetition, or a return.
        """
        incident = uow.incidents.get(attempt.incident)
        if incident is None:
            return "its incident is gone"
        why = self._control.kill_switch()
        reasons = (
            f"{m.kind} by {m.owner}" for m in mutings(uow.mutes.active(now), incident, attempt.playbook, now)
        )
        return why or next(reasons, None)

    def resume(self, uow: UnitOfWork, incident: Incident, who: str, now: float) -> Progress | None:
        """A person hands the wheel back: a new climb from the first rung. None when the run is not at rest."""
        run = uow.runs.get(incident.id)
        playbook = None if run is None else self.rules.playbooks.get(run.playbook or "")
        if run is None or playbook is None or (run.state, RunEvent.RESUME) not in RUN:
            return None
        run = replace(
            run,
            state=run_after(run.state, RunEvent.RESUME),
            entered_at=now,
            rung=0,
            climb=run.climb + 1,
            tries=0,
            reruns=0,
            attempt=None,
            acted=False,
            waiting_since=None,
            approved_by=None,
            released_at=now,
            contained_by=(),
            reason="",
            ended_at=None,
        )
        incident = replace(incident, stepped_back=False)
        situation = self._situation(uow, incident, run, playbook, (), now, None)
        done = begin(run, playbook, situation, now)
        said = Event(incident.id, now, Kind.RESUMED, f"{who} handed the wheel back.", {"by": who}, actor=who)
        done = replace(done, events=(said, *done.events))
        return self._apply(uow, incident, run, playbook, done, now)

    def answered(self, uow: UnitOfWork, key: str, evidence: Evidence) -> Change | None:
        """A probe's answer, kept on the run if it still waits for it."""
        incident_id, name, entered = key.rsplit("|", 2)
        run = uow.runs.get(incident_id)
        if run is None or name not in run.asked or f"{run.entered_at:.3f}" != entered:
            return None
        asked = tuple(other for other in run.asked if other != name) if name == CONFIRM else run.asked
        return Change(run=replace(run, evidence={**run.evidence, name: evidence}, asked=asked))

    # ------------------------------------------------------------------ inside

    def _climb(
        self,
        uow: UnitOfWork,
        incident: Incident,
        run: Run,
        causes: Sequence[Cause],
        now: float,
        approval: Approval | None,
    ) -> Progress | None:
        playbook = self.rules.playbooks.get(run.playbook or "")
        attempt = uow.attempts.get(run.attempt) if run.attempt else None
        found = on_ladder(run, playbook, attempt)
        if isinstance(found, Lost):
            return None if found.waits else stepped_back(incident, run, attempt, found.reason, now)
        if playbook is None:
            return None
        run = found
        situation = self._situation(uow, incident, run, playbook, causes, now, approval)
        done = step(run, playbook, situation, now)
        if done.run == run and not done.events:
            # Waiting writes nothing, also for data that does not come.
            return Progress(Change(), recheck=True) if isinstance(done.move, Recheck) else None
        return self._apply(uow, incident, run, playbook, done, now)

    def _first(
        self, uow: UnitOfWork, incident: Incident, causes: Sequence[Cause], now: float
    ) -> Progress | None:
        if incident.state is not IncidentState.OPEN:
            return None
        name, playbook = self._playbook_for(incident)
        if incident.advises or incident.flapping or playbook is None:
            reason = _not_acting(incident)
            run = Run(incident.id, None, RunState.GAVE_UP, now, reason=reason, ended_at=now)
            event = Event(incident.id, now, Kind.GAVE_UP, f"Not acting: {reason}.", {"reason": reason})
            moved = replace(incident, stepped_back=True)
            return Progress(Change(incident=moved, run=run, events=(event,)), page=reason)
        run = Run(incident.id, name, RunState.DIAGNOSING, now)
        incident = replace(incident, playbook=name)
        situation = self._situation(uow, incident, run, playbook, causes, now, None)
        return self._apply(uow, incident, run, playbook, begin(run, playbook, situation, now), now)

    def _playbook_for(self, incident: Incident) -> tuple[str | None, Playbook | None]:
        mode = MODES.get(incident.failure_mode)  # type: ignore[call-overload]  # a StrEnum key is found by its text
        if mode is not None and mode.scope and not incident.scope:
            return None, None
        fitting = [
            (name, playbook)
            for name, playbook in self.rules.playbooks.items()
            if playbook.matches(incident.failure_mode, incident.scope)
        ]
        return max(fitting, key=lambda item: item[1].specificity, default=(None, None))

    def _holds_still(self, incident: Incident, run: Run) -> bool:
        """A suppressed or recovered incident starts nothing; a rung in flight finishes its verify and undo."""
        return (
            incident.state in {IncidentState.SUPPRESSED, IncidentState.RECOVERED}
            and run.state not in IN_FLIGHT
        )

    def _situation(
        self,
        uow: UnitOfWork,
        incident: Incident,
        run: Run,
        playbook: Playbook,
        causes: Sequence[Cause],
        now: float,
        approval: Approval | None,
    ) -> Situation:
        detectors = tuple(dict.fromkeys(record.detector for record in incident.findings))
        fault = self._sight.fault(detectors, incident.scope, now) if detectors else NOTHING_SEEN
        fresh = self._sight.fresh_within(detectors)
        rows = cache(
            lambda: journal.rows_of(uow, incident, run, playbook, now)
        )  # only who considers a rung asks
        readings: tuple[Reading, ...] = ()
        if run.acted_until is not None and run.state is RunState.VERIFYING:
            readings = self._sight.readings(
                self._deciding(run, playbook, detectors), incident.scope, run.acted_until, now
            )
        return Situation(
            incident=incident,
            fault=fault,
            fresh_within=fresh,
            facts_for=lambda rung, at: facts_of(
                rung,
                at,
                playbook,
                rows(),
                self.rules,
                control=self._control,
                fault=fault,
                fresh_within=fresh,
                causes=causes,
                now=now,
            ),
            readings=readings,
            attempt=uow.attempts.get(run.attempt) if run.attempt else None,
            approval=approval,
        )

    def _deciding(self, run: Run, playbook: Playbook, detectors: tuple[str, ...]) -> tuple[str, ...]:
        effect = playbook.ladder[run.rung].effect
        return effect.detectors if effect is not None and effect.detectors else detectors

    def _finish(self, uow: UnitOfWork, incident: Incident, run: Run, now: float) -> Progress | None:
        """The incident is over: let the run rest, once what is in flight has ended. Nobody is paged for it."""
        if run.state in IN_FLIGHT:
            return self._let_go(uow, incident, run, now)
        if (run.state, RunEvent.FINISH) not in RUN or run.state is RunState.GAVE_UP:
            return None
        run = replace(
            run, state=run_after(run.state, RunEvent.FINISH), entered_at=now, ended_at=now, due_at=None
        )
        text = "Nothing more to do: the fault is gone."
        event = Event(incident.id, now, Kind.VERDICT, text, {"verdict": "self_resolved"})
        return Progress(Change(run=run, events=(event,)))

    def _let_go(self, uow: UnitOfWork, incident: Incident, run: Run, now: float) -> Progress | None:
        """A person closed it in the middle of a rung: the action ends, and nothing is verified any more."""
        attempt = uow.attempts.get(run.attempt) if run.attempt else None
        if attempt is not None and attempt.outcome is None:
            return None
        move = RunEvent.FINISH if run.state is RunState.VERIFYING else RunEvent.GIVE_UP
        reason = "closed by a person before it was verified"
        rest = replace(
            run,
            state=run_after(run.state, move),
            entered_at=now,
            ended_at=now,
            due_at=None,
            attempt=None,
            reason=reason,
        )
        text = "The rung under way is not verified: the incident was closed."
        event = Event(incident.id, now, Kind.VERDICT, text, {"verdict": "unknown", "reason": reason})
        judged = () if attempt is None else (replace(attempt, verdict="unknown", verdict_at=now),)
        return Progress(Change(run=rest, attempts=judged, events=(event,)))

    def _apply(
        self, uow: UnitOfWork, incident: Incident, was: Run, playbook: Playbook, done: Step, now: float
    ) -> Progress:
        ladder, index = playbook.ladder, done.run.rung
        done = replace(done, run=replace(done.run, at=ladder[index].name if index < len(ladder) else ""))
        change = Change(incident=incident, run=done.run, events=done.events)
        return Applying(uow, self.rules, self._control.epoch, playbook, now).apply(change, was, done)


def _waits_for_storm(uow: UnitOfWork, run: Run) -> bool:
    """Whether a storm that stands is all it waits for: asking all guardrails again each second would cost too much."""
    storm = uow.incidents.storm() if run.state is RunState.WAITING else None
    return storm is not None and run.reason == f"storm: {storm_reason(storm.id)}"


def _not_acting(incident: Incident) -> str:
    """Why nothing is ever tried."""
    if incident.advises:
        names = dict.fromkeys(record.detector for record in incident.findings)
        return f"advice only, {' and '.join(names)} may not act"
    if incident.flapping:
        return "it flaps: what mends it for moments does not mend it"
    mode = MODES.get(incident.failure_mode)  # type: ignore[call-overload]  # a StrEnum key is found by its text
    shared = mode is not None and mode.scope and not incident.scope
    return "a shared cause: nothing is done scope by scope" if shared else "no playbook matches"
