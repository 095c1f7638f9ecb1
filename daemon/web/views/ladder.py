"""The ladder as it was climbed: what ran and what came of it, what was skipped or refused and why, what is next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from daemon.document.dossier import Dossier
from daemon.incidents.events import Event, Kind
from daemon.incidents.records import Attempt, Phase
from daemon.web.views.looks import Look, of_attempt
from daemon.web.views.reader import Reader, human
from remediations.run import ACTIVE, Run, RunState

_NOT_YET = Look("quiet", "not reached")
_PHASES = {Phase.DO: "", Phase.UNDO: "undone: ", Phase.RETURN: "given back: "}


@dataclass(frozen=True, slots=True)
class Try:
    """One action of a rung. `took`: seconds, None while it runs."""

    look: Look
    at: float
    took: float | None
    text: str
    output: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """One guardrail's no; `until`: when it lifts by itself."""

    gate: str
    reason: str
    until: float | None
    at: float


@dataclass(frozen=True, slots=True)
class Step:
    """One rung. `next_at`: when something happens on it by itself."""

    name: str
    kind: str
    action: str
    look: Look
    tries: tuple[Try, ...] = ()
    skipped: str = ""
    refusals: tuple[Refusal, ...] = ()
    next_at: float | None = None
    doing: str = ""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Rung:
    """A rung as it is configured."""

    name: str
    kind: str
    action: str


def ladder(dossier: Dossier, rungs: Sequence[Rung], current: str | None) -> list[Step]:
    """The configured rungs in order, then rungs of the story that are configured no more."""
    known = {rung.name for rung in rungs}
    told = {attempt.rung: attempt for attempt in dossier.attempts if attempt.rung not in known}
    gone = [Rung(name, attempt.kind, attempt.action) for name, attempt in told.items()]
    return [_step(dossier, rung, current) for rung in (*rungs, *gone)]


def _step(dossier: Dossier, rung: Rung, current: str | None) -> Step:
    attempts = [attempt for attempt in dossier.attempts if attempt.rung == rung.name]
    events = [event for event in dossier.events if event.data.get("rung") == rung.name]
    run = dossier.run
    here = run is not None and run.state in ACTIVE and current == rung.name
    refusals = _refusals(events)
    skipped = _skipped(events)
    return Step(
        name=rung.name,
        kind=rung.kind,
        action=rung.action,
        look=_look(attempts, refusals, skipped, run if here else None),
        tries=tuple(_try(attempt) for attempt in attempts),
        skipped=skipped,
        refusals=refusals if not skipped else (),
        next_at=run.due_at if here and run is not None else None,
        doing=_doing(run) if here and run is not None else "",
    )


def _doing(run: Run) -> str:
    paused = run.state is RunState.WAITING and run.attempt is not None
    return "waits" if paused else _DOING.get(run.state, "")


_DOING = {
    RunState.DIAGNOSING: "asking the probes",
    RunState.RECHECKING: "looking for the fault on fresh data",
    RunState.WAITING: "waits for a guardrail to lift",
    RunState.PROPOSED: "proposed: waits for a person",
    RunState.ACTING: "running",
    RunState.VERIFYING: "verifying on fresh data",
    RunState.UNDOING: "being undone",
}


def _look(attempts: Sequence[Attempt], refusals: Sequence[Refusal], skipped: str, here: Run | None) -> Look:
    if here is not None:
        if here.state in {RunState.PROPOSED, RunState.WAITING}:
            return Look("pending", "proposed" if here.state is RunState.PROPOSED else "waiting")
        return Look("acting", "next" if not attempts else str(here.state))
    done = [attempt for attempt in attempts if attempt.phase is Phase.DO]
    if done:
        last = done[-1]
        return of_attempt(last)
    if skipped:
        return Look("quiet", "skipped")
    if refusals:
        return Look("refused", "refused")
    return _NOT_YET


def _try(attempt: Attempt) -> Try:
    took = (
        attempt.ended_at - attempt.started_at
        if attempt.ended_at is not None and attempt.started_at is not None
        else None
    )
    targets = ", ".join(attempt.targets)
    return Try(
        look=of_attempt(attempt)
        if attempt.phase is Phase.DO
        else Look("acting" if attempt.outcome is None else "quiet", attempt.outcome or "running"),
        at=attempt.started_at or attempt.intended_at,
        took=took,
        text=f"{_PHASES[attempt.phase]}{attempt.action}{' on ' + targets if targets else ''}",
        output=attempt.output or attempt.effect,
    )


def _refusals(events: Sequence[Event]) -> tuple[Refusal, ...]:
    """Of the last time the guardrails were asked about it."""
    asked = [event for event in events if event.kind is Kind.GATES]
    if not asked or asked[-1].data.get("allowed"):
        return ()
    last = asked[-1]
    return tuple(
        Refusal(
            human(str(gate["name"])),
            str(gate["reason"]),
            gate.get("until"),
            last.at,
        )
        for gate in last.data.get("gates", ())
        if not gate["allowed"]
    )


def _skipped(events: Sequence[Event]) -> str:
    """Why it did not fit, by the newest word on it."""
    for event in reversed(events):
        if event.kind is Kind.SKIPPED:
            return f"{event.data.get('gate', 'when')}: {event.data.get('reason', '')}"
        if event.kind in {Kind.GATES, Kind.STARTED}:
            return ""
    return ""


def reader_line(step: Step, reader: Reader) -> str:
    """What is awaited on a step, with its time."""
    if not step.doing:
        return ""
    return f"{step.doing}, {reader.until(step.next_at)}" if step.next_at is not None else step.doing
