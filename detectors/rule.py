"""A detector as the arithmetic needs it: its section, with every default filled in, as plain hashable values."""

from __future__ import annotations

import hashlib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from config.section import SEVERITY_OF, FailureMode, Severity
from config.units import OfLast
from detectors.baseline import Baseline
from detectors.patterns import MAX_MATCHED
from detectors.samples import Floats
from detectors.spec import (
    BaselineSpec,
    Condition,
    Corroborate,
    DetectorSpec,
    Expected,
    Flap,
    Measured,
    Minimum,
    Pattern,
    Peers,
    SignalSpec,
)

FORGIVEN = 0.2
"""Share of a hold that may go unobserved before the unobserved time is deducted from it."""
FRESH_SCRAPES = 3
_FLAP_HOLDS, _FLAP_STEPS = 6, 10

Kind = Literal[
    "rate", "increase", "ratio", "share_over", "quantile", "gauge", "age", "growth", "burn_rate", "peers", "probe", "promql",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label's condition: any of `values`, or the anchored `pattern`. A missing label is the empty text."""

    label: str
    values: tuple[str, ...] = ()
    pattern: str | None = None

    def accepts(self, value: str) -> bool:
        if self.pattern is None:
            return value in self.values
        return len(value) <= MAX_MATCHED and _compiled(self.pattern).fullmatch(value) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@dataclass(frozen=True, slots=True)
class Burn:
    """Two windows in seconds, and how many times the budget's pace both have to burn at."""

    long: float
    short: float
    pace: float


@dataclass(frozen=True, slots=True)
class Peering:
    """Who is compared with whom, and from which deviation on: `min_absolute` in the signal's unit, `min_relative` as a
    share of the median. `across`: labels by which peers differ; none: all scopes are peers.
    """

    direction: Literal["below", "above"]
    at_least: int
    min_absolute: float
    min_relative: float
    across: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal with its defaults. `of`, `to`: names of series as stored (histograms with `_bucket`).

    `bound`: of `share_over`; `q`: of `quantile`; `events`: the minimum, 0 for none; `widen_to`: seconds.
    For `probe` and `promql`, `of` is the made-up name under which their answers are put into the rings, and every
    label of an answer belongs to the scope.
    For `burn_rate`, `window` is the shortest of its windows, `budget` the share of attempts that may fail. For `peers`,
    `inner` is what they are compared by, and what is said here beside `kind` is said of that.
    """

    kind: Kind
    of: tuple[str, ...]
    to: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    where: tuple[Matcher, ...] = ()
    window: float = 0.0
    bound: float = 0.0
    q: float = 0.0
    agg: Literal["sum", "avg", "min", "max"] = "max"
    events: float = 0.0
    widen_to: float = 0.0
    text: str = ""
    """The probe's name or the query."""
    burns: tuple[Burn, ...] = ()
    budget: float = 0.0
    inner: Signal | None = None
    peering: Peering | None = None

    @property
    def windowed(self) -> bool:
        return self.window > 0

    @property
    def measured(self) -> Signal:
        """What is computed from samples: of `peers`, what they are compared by."""
        return self.inner or self

    @property
    def reach(self) -> float:
        """Seconds of history that its value may need."""
        return max(self.window, self.widen_to, *(burn.long for burn in self.burns), 0.0)

    @property
    def keys(self) -> tuple[str, ...]:
        """Where its keys stand below `signal`."""
        return (self.kind, "signal", self.inner.kind) if self.inner else (self.kind,)


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "above": operator.gt,
    "below": operator.lt,
    "equals": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison and its hold. `negated`: holds where the comparison does not."""

    __test__ = False  # no test case, whatever pytest makes of the name

    op: Literal["above", "below", "equals"]
    threshold: float
    hold: float
    of_last: OfLast | None = None
    negated: bool = False

    def holds(self, value: Floats) -> NDArray[np.bool_]:
        """Element-wise; NaN holds for nothing, negated or not."""
        with np.errstate(invalid="ignore"):
            met: NDArray[np.bool_] = _COMPARE[self.op](value, self.threshold)
        return ~met & ~np.isnan(value) if self.negated else met


@dataclass(frozen=True, slots=True)
class Gate:
    """Findings only while `signal` is above `above`."""

    signal: Signal
    above: float


@dataclass(frozen=True, slots=True)
class Flapping:
    """A scope flaps when it fires `firings` times within `within` seconds; it is well after `calm` seconds of it."""

    firings: int
    within: float
    calm: float


STEADY = Flapping(20, 0.0, 0.0)
"""Nothing flaps."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One detector. `step`: seconds between ticks; a pause of more than 2.5 steps counts as unobserved."""

    name: str
    mode: FailureMode
    severity: Severity
    source: str
    signal: Signal
    fire: Test
    clear: Test
    no_data_for: float
    step: float
    expected: Expected | None = None
    corroborate: Corroborate | None = None
    gate: Gate | None = None
    fresh_within: float | None = None
    baseline: Baseline | None = None
    """The condition is on how far `signal` is off this, not on the signal itself."""
    flap: Flapping = STEADY
    acts: bool = True
    """Whether its findings may lead to action."""
    missed: bool = True
    """Whether the absence of a scope is news."""

    @property
    def zero_test(self) -> bool:
        """Whether it asks for no growth at all; then `for` counts from the last growth, on one clock."""
        counts = self.signal.kind in {"increase", "rate"} and self.baseline is None
        return counts and self.fire.op == "equals" and self.fire.threshold == 0 and not self.fire.negated


def rule_of(name: str, spec: DetectorSpec, *, default_source: str, step: float) -> Rule:
    """The rule of a detector's section. `step`: the poll interval in seconds."""
    fire = _test(spec.fire)
    own = SEVERITY_OF[spec.failure_mode]
    ranks = list(Severity)
    baseline = spec.signal.baseline
    acts = spec.acts if spec.acts is not None else baseline is None
    severity = min(own, spec.severity or own, key=ranks.index) if acts else spec.severity or own
    clear = _test(spec.clear) if spec.clear else Test(fire.op, fire.threshold, fire.hold, negated=True)
    return Rule(
        name=name,
        mode=spec.failure_mode,
        severity=severity,
        source=spec.source or default_source,
        signal=signal_of(spec.signal, spec.minimum),
        fire=fire,
        clear=clear,
        no_data_for=spec.no_data.for_,
        step=step,
        expected=spec.expected,
        corroborate=spec.corroborate,
        gate=Gate(signal_of(spec.while_.signal), spec.while_.above) if spec.while_ else None,
        fresh_within=spec.fresh_within,
        baseline=_baseline(baseline) if baseline else None,
        flap=_flapping(spec.flap, fire.hold + clear.hold, step),
        acts=acts,
        missed=spec.no_data.missed,
    )


def signal_of(spec: SignalSpec, minimum: Minimum | None = None) -> Signal:
    """The signal of its section, with the count gate of its detector; of a baseline, the signal it is drawn from."""
    if spec.baseline is not None:
        return signal_of(spec.baseline.signal, minimum)
    if spec.peers is not None:
        return _compared(spec.peers, minimum)
    body = spec.body
    if isinstance(body, str):
        kind: Kind = "probe" if spec.kind == "probe" else "promql"
        name = body if kind == "probe" else hashlib.sha256(body.encode()).hexdigest()[:16]
        return Signal(kind, (f"{kind}:{name}",), text=body)
    return _measured(spec, minimum)


def _compared(spec: Peers, minimum: Minimum | None) -> Signal:
    inner = _measured(spec.signal, minimum)
    peering = Peering(spec.direction, spec.at_least, spec.min_absolute, spec.min_relative, spec.across)
    return replace(inner, kind="peers", inner=inner, peering=peering)


def _measured(spec: Measured, minimum: Minimum | None) -> Signal:
    body = spec.body
    names = (body.of,) if isinstance(body.of, str) else body.of
    if spec.kind in {"share_over", "quantile"}:
        names = tuple(f"{name}_bucket" for name in names)
    burns = tuple(Burn(pair.long, pair.short, pair.burn) for pair in getattr(body, "windows", ()))
    window = min((burn.short for burn in burns), default=getattr(body, "window", 0.0))
    return Signal(
        kind=spec.kind,  # type: ignore[arg-type]  # one of KINDS, which Kind repeats
        of=names,
        to=tuple(getattr(body, "to", ())),
        by=tuple(body.by),
        where=_matchers(body.where),
        window=window,
        bound=getattr(body, "bound", 0.0),
        q=getattr(body, "q", 0.0),
        agg=getattr(body, "agg", "max"),
        events=minimum.events if minimum else 0.0,
        widen_to=max(window, (minimum.widen_to or window) if minimum and not burns else window),
        burns=burns,
        budget=round(1 - body.objective, 12) if burns else 0.0,
    )


def _flapping(spec: Flap, holds: float, step: float) -> Flapping:
    """An outage takes at least both holds from one firing to the next: half as long on average again is flapping."""
    within = spec.within or max(_FLAP_HOLDS * holds, _FLAP_STEPS * step)
    return Flapping(spec.firings, within, spec.calm or within)


def _baseline(spec: BaselineSpec) -> Baseline:
    return Baseline(spec.direction, spec.weeks, spec.min_absolute, spec.min_relative, spec.zone)


def _matchers(where: Mapping[str, tuple[str, ...] | Pattern]) -> tuple[Matcher, ...]:
    return tuple(
        Matcher(label, pattern=wanted.re) if isinstance(wanted, Pattern) else Matcher(label, wanted)
        for label, wanted in sorted(where.items())
    )


def _test(condition: Condition) -> Test:
    return Test(condition.op, condition.threshold, condition.for_, condition.of_last)
