"""What one step of a run asks for. The stage turns a move into rows and jobs; the step itself touches nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Phase
from remediations.guardrails.facts import Facts
from remediations.run import Run, RunEvent, run_after
from remediations.spec import Check, Playbook, Rung
from remediations.verification import Judgement, Reading


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask these probes; their answers come back as evidence under the given names."""

    checks: Mapping[str, Check]


@dataclass(frozen=True, slots=True)
class Recheck:
    """Fetch fresh data now: the newest evidence is too old, or nothing is known."""


@dataclass(frozen=True, slots=True)
class Propose:
    """Ask a person to approve the rung."""

    rung: Rung


@dataclass(frozen=True, slots=True)
class Act:
    """Write `intended` for this phase of the rung; the worker starts after `started` is committed.

    `again` is the key of an attempt to repeat under the same idempotency key (`on_interrupt: rerun`).
    """

    rung: Rung
    phase: Phase
    again: str | None = None


@dataclass(frozen=True, slots=True)
class Await:
    """Nothing to do before `until` (unix seconds) or the next message."""

    until: float | None = None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A page is owed in this same cycle."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The fault was mended and verified."""

    judgement: Judgement


Move = Ask | Recheck | Propose | Act | Await | GiveUp | Done


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's answer to a proposal."""

    by: str
    approved: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a step looks at beside the run and its playbook.

    `fault`: the newest reading; `readings`: those since the last action ended. `attempt`: the journal row under
    way. `facts_for(rung, run)`: the guardrails' facts, read in the same transaction. `approval`: just received.
    """

    incident: Incident
    fault: Reading
    fresh_within: float
    facts_for: Callable[[Rung, Run], Facts]
    readings: tuple[Reading, ...] = ()
    attempt: Attempt | None = None
    approval: Approval | None = None

    @property
    def alert_only(self) -> bool:
        """Rests on an inbox alert that no detector can verify."""
        return bool(self.incident.alerts) and not self.incident.findings


@dataclass(frozen=True, slots=True)
class Step:
    """The next run, what it asks for, and the timeline rows that say why.

    `contained`: the name of a contain rung whose effect was just confirmed; `verdict`: of the attempt under way.
    """

    run: Run
    move: Move
    events: tuple[Event, ...] = ()
    contained: str | None = None
    verdict: Judgement | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One run in the middle of a step: collects events, moves the run by its table."""

    run: Run
    playbook: Playbook
    situation: Situation
    now: float
    events: tuple[Event, ...] = field(default=())

    @property
    def rung(self) -> Rung:
        return self.playbook.ladder[self.run.rung]

    def say(self, kind: Kind, text: str, **data: object) -> Turn:
        """Add a timeline row."""
        event = Event(self.situation.incident.id, self.now, kind, text, data)
        return replace(self, events=(*self.events, event))

    def to(self, event: RunEvent, **fields: object) -> Turn:
        """Move the run along its table. Raises `IllegalMove` for a move the table does not know."""
        state = run_after(self.run.state, event)
        changed: dict[str, object] = {"state": state, "entered_at": self.now, "due_at": None, **fields}
        return replace(self, run=replace(self.run, **changed))  # type: ignore[arg-type]  # field names are Run's own

    def end(self, move: Move, *, contained: str | None = None, verdict: Judgement | None = None) -> Step:
        return Step(self.run, move, self.events, contained, verdict)
