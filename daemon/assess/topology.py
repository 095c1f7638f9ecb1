"""The section `topology`: which fault explains which, what is rolled up, and when many faults are one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from itertools import combinations
from typing import Annotated

from pydantic import Field, model_validator

from config.problems import Wrong
from config.scope import SEVERAL, Scope, scope_of
from config.section import FailureMode, Section
from config.units import Share


class Explains(Section):
    """An open `cause` at a matching scope explains a `symptom`; `same` lists labels that must agree.

    `cause` has one key, the failure mode; its value gives labels the cause's scope must carry ({}: any). `symptom` may
    be written likewise.
    """

    cause: dict[FailureMode, dict[str, str]]
    symptom: FailureMode | dict[FailureMode, dict[str, str]]
    same: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_cause(self) -> Explains:
        if len(self.cause) != 1:
            raise Wrong("an explanation has one cause", "write one entry per cause")
        if isinstance(self.symptom, dict) and len(self.symptom) != 1:
            raise Wrong("an explanation has one symptom", "write one entry per symptom")
        return self

    @property
    def mode(self) -> FailureMode:
        return next(iter(self.cause))

    @property
    def explained(self) -> tuple[FailureMode, Mapping[str, str]]:
        """The symptom's failure mode, and the labels its scope must carry."""
        return next(iter(self.symptom.items())) if isinstance(self.symptom, dict) else (self.symptom, {})

    def explains(self, cause: tuple[str, Scope], symptom: tuple[str, Scope]) -> bool:
        """Whether `cause` (failure mode, scope) explains `symptom`. A label the cause lacks agrees with any value."""
        mode, labels = self.explained
        if cause[0] != self.mode or symptom[0] != mode or cause == symptom:
            return False
        here, there = dict(cause[1]), dict(symptom[1])
        if any(here.get(name) != value for name, value in self.cause[self.mode].items()):
            return False
        if any(there.get(name) != value for name, value in labels.items()):
            return False
        return all(name not in here or name not in there or here[name] == there[name] for name in self.same)


class RollUp(Section):
    """From `from` scopes on that share the label `by`, they are one incident at that label alone."""

    by: str
    from_: Annotated[int, Field(alias="from", ge=2)] = 3


class Partial(Section):
    """Scopes with the label `label` are parts of what `by` names, thousands of them maybe.

    Those of one failure mode are one incident at `by`, with `label: "*"`, however many or few they are. Nothing is ever
    done about it: it is told as its severity says.
    """

    label: str
    by: str

    def joined(self, scope: Scope) -> Scope | None:
        """Where the incident is that a scope belongs to; None for a scope without the label."""
        labels = dict(scope)
        if self.label not in labels:
            return None
        return scope_of({self.label: SEVERAL} | ({self.by: labels[self.by]} if self.by in labels else {}))


class Topology(Section):
    """`shared_cause`: this share of all providers out at once is one incident without per-provider action."""

    explains: tuple[Explains, ...] = ()
    roll_up: dict[FailureMode, RollUp] = Field(default_factory=dict)
    partial: Partial | None = None
    """Left out: every scope stands for itself."""
    shared_cause: Annotated[Share, Field(gt=0)] = 0.5

    def part_of(self, scope: Scope) -> Scope | None:
        """Where the incident is that a partial scope belongs to; None for a scope that is none."""
        return None if self.partial is None else self.partial.joined(scope)

    def is_part(self, scope: Scope) -> bool:
        """Whether a scope is partial, or the incident of several."""
        return self.partial is not None and any(name == self.partial.label for name, _ in scope)

    def whole(self, population: frozenset[Scope]) -> frozenset[Scope]:
        """Those that are not parts of others."""
        return _without(population, self.partial.label) if self.partial else population

    def parts(self, population: frozenset[Scope], scope: Scope) -> int:
        """How many belong to the incident at `scope`."""
        return 0 if self.partial is None else _families(population, self.partial)[scope]


def is_total_of(general: tuple[str, Scope], special: tuple[str, Scope]) -> bool:
    """Total before partial: the same failure mode at a wider scope explains the narrower one."""
    return general[0] == special[0] and set(general[1]) < set(special[1])


class Causes:
    """What of these candidates explains which symptom. Sorted once: hundreds are asked about hundreds in a round."""

    def __init__(self, candidates: Mapping[str, tuple[str, Scope]], topology: Topology) -> None:
        """`candidates`: id -> (failure mode, scope); of several that explain, the first counts."""
        self.candidates, self.topology = candidates, topology
        self._places: dict[tuple[str, Scope], tuple[int, str]] = {}
        self._of_mode: dict[str, list[tuple[int, str, tuple[str, Scope]]]] = {}
        for place, (name, key) in enumerate(candidates.items()):
            self._places.setdefault(key, (place, name))
            self._of_mode.setdefault(key[0], []).append((place, name, key))

    def of(self, symptom: tuple[str, Scope]) -> str | None:
        """Id of the candidate that explains it: wider scopes of its own mode first, then declared causes."""
        mode, scope = symptom
        wider = (Scope(part) for count in range(len(scope)) for part in combinations(scope, count))
        totals = [found for part in wider if (found := self._places.get((mode, part))) is not None]
        if totals:
            return min(totals)[1]
        declared = [
            (place, name)
            for rule in self.topology.explains
            if rule.explained[0] == mode
            for place, name, key in self._of_mode.get(rule.mode, ())
            if rule.explains(key, symptom)
        ]
        return min(declared)[1] if declared else None


def cause_among(
    symptom: tuple[str, Scope], candidates: Mapping[str, tuple[str, Scope]], topology: Topology
) -> str | None:
    """Id of the candidate that explains `symptom`."""
    return Causes(candidates, topology).of(symptom)


@lru_cache(maxsize=32)
def _without(population: frozenset[Scope], label: str) -> frozenset[Scope]:
    return frozenset(scope for scope in population if all(name != label for name, _ in scope))


@lru_cache(maxsize=32)
def _families(population: frozenset[Scope], partial: Partial) -> Mapping[Scope, int]:
    parts = map(partial.joined, population)
    return Counter(part for part in parts if part is not None)
