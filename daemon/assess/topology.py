"""The section `topology`: which fault explains which, what is rolled up, and when many faults are one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from config.problems import Wrong
from config.scope import Scope
from config.section import FailureMode, Section
from config.units import Share


class Explains(Section):
    """An open `cause` at a matching scope explains a `symptom`; `same` lists labels that must agree.

    `cause` has one key, the failure mode; its value gives labels the cause's scope must carry ({}: any).
    """

    cause: dict[FailureMode, dict[str, str]]
    symptom: FailureMode
    same: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_cause(self) -> Explains:
        if len(self.cause) != 1:
            raise Wrong("an explanation has one cause", "write one entry per cause")
        return self

    @property
    def mode(self) -> FailureMode:
        return next(iter(self.cause))

    def explains(self, cause: tuple[str, Scope], symptom: tuple[str, Scope]) -> bool:
        """Whether `cause` (failure mode, scope) explains `symptom`. A label the cause lacks agrees with any value."""
        if cause[0] != self.mode or symptom[0] != self.symptom or cause == symptom:
            return False
        here, there = dict(cause[1]), dict(symptom[1])
        if any(here.get(name) != value for name, value in self.cause[self.mode].items()):
            return False
        return all(name not in here or name not in there or here[name] == there[name] for name in self.same)


class RollUp(Section):
    """From `from` scopes on that share the label `by`, they are one incident at that label alone."""

    by: str
    from_: Annotated[int, Field(alias="from", ge=2)] = 3


class Topology(Section):
    """`shared_cause`: this share of all providers out at once is one incident without per-provider action."""

    explains: tuple[Explains, ...] = ()
    roll_up: dict[FailureMode, RollUp] = Field(default_factory=dict)
    shared_cause: Annotated[Share, Field(gt=0)] = 0.5


def is_total_of(general: tuple[str, Scope], special: tuple[str, Scope]) -> bool:
    """Total before partial: the same failure mode at a wider scope explains the narrower one."""
    return general[0] == special[0] and set(general[1]) < set(special[1])


def cause_among(
    symptom: tuple[str, Scope], candidates: Mapping[str, tuple[str, Scope]], topology: Topology
) -> str | None:
    """Id of the candidate that explains `symptom`: wider scopes of its own mode first, then declared causes."""
    for name, candidate in candidates.items():
        if is_total_of(candidate, symptom):
            return name
    for name, candidate in candidates.items():
        if any(rule.explains(candidate, symptom) for rule in topology.explains):
            return name
    return None
