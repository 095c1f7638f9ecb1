"""The sections `playbooks`, `storm` and `limits` of the configuration.

A rung's `do` stays the single-key map that was written (`{http: {…}}`): which kinds of action exist, and what each
takes, is known to `remediations.actions.registry` alone, which checks every `do` when the settings are composed.
Lengths of time are seconds, shares 0..1, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from config.problems import Wrong
from config.scope import Scope
from config.section import Autonomy, FailureMode, Section
from config.templates import ExpressionText
from config.units import Budget, Duration, Share, Size

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""A name that other parts of the configuration refer to."""


class RungKind(StrEnum):
    """What a rung can achieve at best."""

    CURE = "cure"
    """Mends the fault; its success is a recovery."""
    CONTAIN = "contain"
    """Stops the harm; never a recovery, always a debt and a page."""


class OnInterrupt(StrEnum):
    """How an action that was started, and whose outcome nobody knows, is settled."""

    PROBE = "probe"
    """Ask `confirm` whether it took effect."""
    RERUN = "rerun"
    """Do it again: only for what may safely be done twice."""
    PAGE = "page"
    """Leave it to a person."""


def action_of(do: Mapping[str, Any]) -> tuple[str, Any]:
    """(kind, arguments as written) of a `do`, `undo` or `return.do`. Raises `Wrong` unless it has exactly one key."""
    if len(do) != 1:
        raise Wrong(
            f"expected one action, got {len(do)}", "write one, such as {http: {method: POST, url: …}}"
        )
    return next(iter(do.items()))


def _one_action(do: dict[str, Any]) -> dict[str, Any]:
    action_of(do)
    return do


ActionMap = Annotated[dict[str, Any], AfterValidator(_one_action)]
"""One action as written: its kind and its arguments."""


class Check(Section):
    """A probe asked by name, and what its answer has to be like: `{probe: storage-health, ok: "body.active == 'replica'"}`."""

    probe: Name
    ok: ExpressionText | None = None
    """Left out: the probe's own `ok`."""


class Effect(Section):
    """What a rung is meant to change: detectors that must be clear, or a check. Exactly one of the two."""

    detectors: tuple[Name, ...] = ()
    probe: Name | None = None
    ok: ExpressionText | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if bool(self.detectors) == (self.probe is not None):
            raise Wrong(
                "an effect is either detectors or a probe",
                "write {detectors: [NAME]} or {probe: NAME, ok: …}",
            )
        if self.ok is not None and self.probe is None:
            raise Wrong("ok belongs to a probe", "add probe: NAME")
        return self


class Verify(Section):
    """Within `within` of the action's end the effect must have held for `hold` without a break."""

    within: Annotated[Duration, Field(gt=0)] = 300.0
    hold: Annotated[Duration, Field(gt=0)] = 120.0

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.within <= self.hold:
            raise Wrong("verify.within leaves no room for verify.hold", "make within longer than hold")
        return self


class ReturnStep(Section):
    """One step of paying a debt: when due, after which pre-check on fresh probes, by which action.

    `after` counts from the action that made the debt (nothing is paid before its incident is over), then from the end of
    the step before.
    """

    after: Duration = 3600.0
    when: ExpressionText | None = None
    do: ActionMap
    confirm: Check | None = None
    """The step's own check that it took effect; what follows waits for it, and so does "paid"."""
    within: Annotated[Duration, Field(gt=0)] = 60.0
    """How long `confirm` may take to show; after it the step has failed, which is a page."""
    autonomy: Autonomy = Autonomy.PROPOSE


class Return(ReturnStep):
    """How the debt of a rung is paid after success. A step that fails stops what follows, and people are paged."""

    then: tuple[ReturnStep, ...] = ()
    """What follows in order, each once the one before is done: the gap is recovered, the queue drained."""

    @property
    def steps(self) -> tuple[ReturnStep, ...]:
        """All of them, in order."""
        return (self, *self.then)


class Rung(Section):
    """One mitigation of a ladder."""

    name: Name
    kind: RungKind = RungKind.CURE
    when: ExpressionText | None = None
    """Whether this rung fits the diagnosis; false or unknown moves on to the next."""
    require: ExpressionText | None = None
    """What must hold for it to be safe; false or unknown moves on to the next."""
    do: ActionMap
    effect: Effect | None = None
    """Left out: the incident's own clear condition."""
    confirm: Check | None = None
    """The rung's own check that its action took place."""
    undo: ActionMap | None = None
    return_: Return | None = Field(default=None, alias="return")
    verify: Verify = Verify()
    on_interrupt: OnInterrupt = OnInterrupt.PAGE
    autonomy: Autonomy = Autonomy.PROPOSE
    storm_safe: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind is RungKind.CONTAIN and self.effect is None and self.confirm is None:
            raise Wrong(
                "a contain rung is checked by its own effect and declares none",
                "add effect: {probe: NAME, ok: …}, or confirm",
            )
        if self.on_interrupt is OnInterrupt.PROBE and self.confirm is None:
            raise Wrong("on_interrupt: probe needs something to ask", "add confirm: {probe: NAME, ok: …}")
        return self


class BlastRadius(Section):
    max_scopes: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Scopes of this playbook with an action in flight or in verification."""


class Guardrails(Section):
    """What can refuse a rung of this playbook beside the guardrails that are always on."""

    cooldown: Duration = 900.0
    """From the end of one climb to the start of the next, same playbook and scope."""
    budget: Budget = Budget(3, 3600.0)
    """Disruptive actions per action and target."""
    lock: Name | None = None
    """Playbooks that name the same lock act one after the other."""
    wait_up_to: Duration = 120.0
    """How long a refusal that lifts by itself is waited for."""
    blast_radius: BlastRadius = BlastRadius()
    failover_lock: Duration | None = None
    """After an action with a `return`, its target is locked so long, or until `unlock TARGET`."""


class Diagnosis(Section):
    """A question asked before the first rung; its answer is `facts.NAME`."""

    probe: Name


class Playbook(Section):
    """For a failure mode at matching scopes: the questions, then the ladder. An empty ladder pages at once."""

    failure_mode: FailureMode
    match: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    diagnose: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")], Diagnosis] = Field(
        default_factory=dict
    )
    ladder: tuple[Rung, ...] = ()
    guardrails: Guardrails = Guardrails()
    deadline: Annotated[Duration, Field(gt=0)] = 900.0
    """No verified recovery so long after detection pages, whatever the ladder does."""
    escalation: Name = "default"
    enabled: bool = True

    @model_validator(mode="after")
    def _distinct_rungs(self) -> Self:
        names = [rung.name for rung in self.ladder]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise Wrong(f"two rungs are called '{twice}'", "the timeline tells rungs apart by name")
        return self

    def checks(self) -> Iterator[tuple[str, Check | Effect]]:
        """Every question that is asked after an action, with its dotted place: `ladder.0.confirm` and so on."""
        for index, rung in enumerate(self.ladder):
            here = f"ladder.{index}"
            steps = () if rung.return_ is None else rung.return_.steps
            places = [f"{here}.return.confirm"]
            places += [f"{here}.return.then.{number}.confirm" for number in range(len(steps) - 1)]
            found = [(f"{here}.confirm", rung.confirm), (f"{here}.effect", rung.effect)]
            found += zip(places, [step.confirm for step in steps], strict=False)
            yield from ((place, check) for place, check in found if check is not None)

    def matches(self, failure_mode: str, scope: Scope) -> bool:
        """Whether this playbook is for that failure mode at that scope; disabled ones are for nothing."""
        labels = dict(scope)
        return (
            self.enabled
            and failure_mode == self.failure_mode
            and all(
                labels.get(name) in ((wanted,) if isinstance(wanted, str) else wanted)
                for name, wanted in self.match.items()
            )
        )

    @property
    def specificity(self) -> int:
        """How many labels it asks for: of several that match, the highest wins."""
        return len(self.match)

    def actions(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every action in it with its dotted place, `ladder.0.do` and so on."""
        for index, rung in enumerate(self.ladder):
            yield f"ladder.{index}.do", rung.do
            if rung.undo is not None:
                yield f"ladder.{index}.undo", rung.undo
            if rung.return_ is not None:
                yield f"ladder.{index}.return.do", rung.return_.do
                for number, step in enumerate(rung.return_.then):
                    yield f"ladder.{index}.return.then.{number}.do", step.do


class Storm(Section):
    """Entered when this many failure modes, or this share of a population, fail at once."""

    modes: Annotated[int, Field(ge=2, le=6)] = 3
    share: Annotated[Share, Field(gt=0)] = 0.34
    leave_after: Annotated[Duration, Field(gt=0)] = 300.0


class Limits(Section):
    """Bounds of the daemon as a whole."""

    series: Annotated[int, Field(ge=1)] = 200_000
    response: Annotated[Size, Field(ge=1_000)] = 64_000_000
    """The largest answer taken from a telemetry source, in bytes."""
    in_flight: Annotated[int, Field(ge=1, le=8)] = 2
    """Actions in flight or in verification, over everything."""
    in_flight_per_target: Annotated[int, Field(ge=1)] = 1
    in_flight_per_action: Annotated[int, Field(ge=1)] | None = None
    """Of one kind of action; left out: as many as `in_flight`."""
    in_flight_per_group: Annotated[int, Field(ge=1)] | None = None
    """Of the playbooks that share a lock's name; left out: as many as `in_flight`."""
    actions: Budget | None = None
    """Disruptive actions of all playbooks together, such as `20 per 1h`; left out: as many as their own budgets allow."""
