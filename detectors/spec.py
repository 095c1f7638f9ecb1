"""The sections `telemetry`, `detectors` and `inventory`: what is read, what is looked for, and who should be there."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from config.people import TimeZone
from config.problems import Wrong
from config.section import FailureMode, Section, Severity
from config.units import Duration, OfLast, Threshold
from detectors.spec_names import LabelName, MetricName, Name, texts
from detectors.spec_signals import (
    Age,
    BurnRate,
    BurnWindow,
    Gauge,
    Growth,
    Increase,
    Measured,
    Pattern,
    Peers,
    Quantile,
    Ratio,
    ShareOver,
    Where,
)
from detectors.spec_sources import (
    Auth,
    Basic,
    FileSource,
    PrometheusSource,
    ScrapeSource,
    Source,
    Target,
    Tls,
)

# ------------------------------------------------------------------ signals


class BaselineSpec(Section):
    """How many deviations `signal` lies below or above what the same hours of other weeks came to: the median of at
    least `weeks` of them, a deviation being 1.4826 times their MAD. 0 where it is off by less than `min_absolute` (in
    the signal's unit) or less than `min_relative` of the median; unknown while there are fewer weeks.
    """

    signal: SignalSpec
    direction: Literal["below", "above"]
    weeks: int = Field(4, ge=1, le=8)
    min_absolute: Threshold = Field(0.0, ge=0)
    min_relative: Threshold = Field(0.3, ge=0)
    zone: TimeZone = "UTC"
    """The time zone whose wall clock tells the hour of the week."""

    @model_validator(mode="after")
    def _plain(self) -> Self:
        if self.signal.baseline is not None:
            raise Wrong("a baseline of a baseline tells nothing", "give it a plain signal")
        if self.signal.pushdown:
            raise Wrong("pushdown stands beside baseline, not within it", "move it one level up")
        return self


class SignalSpec(Measured):
    """Exactly one kind of signal. `pushdown`: let the Prometheus source compute it."""

    burn_rate: BurnRate | None = None
    peers: Peers | None = None
    probe: Name | None = None
    """Name of a probe: 1 when its answer is ok, 0 when not."""
    promql: str | None = Field(None, max_length=10_000)
    baseline: BaselineSpec | None = None
    pushdown: bool = False

    kinds: ClassVar[tuple[str, ...]] = (*Measured.kinds, "burn_rate", "peers", "probe", "promql", "baseline")

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.pushdown and self.peers is not None:
            raise Wrong("peers are compared here, not at the source", "leave pushdown out")
        return self


KINDS = SignalSpec.kinds

# ---------------------------------------------------------------- detectors


class Condition(Section):
    """One comparison and how long it must hold. `of_last`: `for` in N equal slots, M of which must hold."""

    above: Threshold | None = None
    below: Threshold | None = None
    equals: Threshold | None = None
    for_: Duration = Field(0.0, alias="for")
    of_last: OfLast | None = None

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        given = [op for op in ("above", "below", "equals") if getattr(self, op) is not None]
        if len(given) != 1:
            raise Wrong("give exactly one comparison", "use one of above, below, equals")
        if self.of_last is not None and self.for_ <= 0:
            raise Wrong("of_last cuts `for` into slots, and `for` is missing", "add for: 5m")
        return self

    @property
    def op(self) -> Literal["above", "below", "equals"]:
        return "above" if self.above is not None else "below" if self.below is not None else "equals"

    @property
    def threshold(self) -> float:
        return float(getattr(self, self.op))


class Minimum(Section):
    """With fewer events in the window it is doubled up to `widen_to`; with fewer still nothing is known."""

    events: float = Field(gt=0)
    widen_to: Duration | None = None


class Expected(Section):
    """No finding where fewer than `at_least` events per `per` are normal: as the same hours of other weeks had them, where
    two or more are known, else as the last windows with traffic did.
    """

    at_least: float = Field(gt=0)
    per: Duration = Field(gt=0)
    zone: TimeZone = "UTC"
    """The time zone whose wall clock tells the hour of the week."""


class NoData(Section):
    """How long nothing may be known before that is a finding of its own. `missed: false`: scopes may come and go, and
    nobody misses one whose series go.
    """

    for_: Duration = Field(300.0, alias="for", gt=0)
    missed: bool = True


class Evidence(Section):
    """One independent witness of a failure; exactly one of probe, detector, manager (with unit)."""

    probe: Name | None = None
    detector: Name | None = None
    manager: Name | None = None
    unit: str | None = None
    is_: Literal["failing", "firing", "down"] = Field(alias="is")

    @model_validator(mode="after")
    def _one_witness(self) -> Self:
        kinds = {"probe": "failing", "detector": "firing", "manager": "down"}
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            raise Wrong("give exactly one witness", "use one of probe, detector, manager")
        if self.is_ != kinds[given[0]]:
            raise Wrong(f"a {given[0]} cannot be '{self.is_}'", f"write is: {kinds[given[0]]}")
        if (self.manager is None) != (self.unit is None):
            raise Wrong("a manager speaks about a unit", "give manager and unit together")
        return self


class Corroborate(Section):
    """The finding may lead to action only when these witnesses agree."""

    any_: tuple[Evidence, ...] | None = Field(None, alias="any", min_length=1)
    all_: tuple[Evidence, ...] | None = Field(None, alias="all", min_length=1)

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if (self.any_ is None) == (self.all_ is None):
            raise Wrong("give exactly one list of witnesses", "use any or all")
        return self

    @property
    def witnesses(self) -> tuple[Evidence, ...]:
        return self.any_ or self.all_ or ()


class While(Section):
    """A finding only while another signal is above a bound: the stall detectors (input > 0, output 0)."""

    signal: SignalSpec
    above: Threshold = 0.0

    @model_validator(mode="after")
    def _now(self) -> Self:
        if self.signal.baseline is not None:
            raise Wrong("a baseline cannot be a gate", "name its detector under corroborate")
        return self


class Flap(Section):
    """When a scope counts as flapping, and how long it must be well before that ends. Left out: from the holds."""

    firings: int = Field(4, ge=3, le=20)
    """It flaps when it fires so many times …"""
    within: Duration | None = Field(None, gt=0)
    """… in this time. Left out: six times the hold and the clear hold together, at least ten poll intervals."""
    calm: Duration | None = Field(None, gt=0)
    """How long the clear condition must hold until a flapping finding clears. Left out: as long as `within`."""


class DetectorSpec(Section):
    """Watches one signal for one failure mode, scope by scope."""

    failure_mode: FailureMode
    signal: SignalSpec
    fire: Condition
    clear: Condition | None = None
    """Left out: the fire condition observed false for as long as it had to hold."""
    source: Name | None = None
    """A name under `telemetry`; left out: the first one."""
    severity: Severity | None = None
    """Left out: the failure mode's. It may only be raised, but for a detector that only advises."""
    acts: bool | None = None
    """Whether its findings may lead to action. `false`: they only advise; people are told as the severity says. Left
    out: all may but those of a `baseline`.
    """
    minimum: Minimum | None = None
    expected: Expected | None = None
    no_data: NoData = NoData()
    flap: Flap = Flap()
    corroborate: Corroborate | None = None
    while_: While | None = Field(None, alias="while")
    fresh_within: Duration | None = None
    """Age up to which evidence is fresh enough to act on; left out: three scrape intervals."""
    enabled: bool = True

    @model_validator(mode="after")
    def _one_zone(self) -> Self:
        baseline = self.signal.baseline
        if baseline is not None and self.expected is not None and baseline.zone != self.expected.zone:
            raise Wrong("expected and baseline name different zones", "give both the same zone")
        return self


# ---------------------------------------------------------------- inventory


class SeenWithin(Section):
    """Every value seen within this time is expected to be there."""

    seen_within: Duration = Field(gt=0)


class Suspended(Section):
    """A gauge that is above 0 for scopes switched off on purpose: they are left out of detection."""

    of: MetricName
    by: tuple[LabelName, ...] = Field(min_length=1)
    source: Name | None = None


def _members(value: Any) -> Any:
    return texts(value) if not isinstance(value, dict | SeenWithin) else value


class Inventory(Section):
    """Who should be there, per label: a list, or whoever was seen lately. Any label name is a key."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[tuple[str, ...] | SeenWithin, BeforeValidator(_members)]]

    suspended: Suspended | None = None

    @property
    def labels(self) -> dict[str, tuple[str, ...] | SeenWithin]:
        return dict(self.__pydantic_extra__ or {})


Telemetry = dict[Name, Source]
Detectors = dict[Name, DetectorSpec]

__all__ = [
    "KINDS", "Age", "Auth", "BaselineSpec", "Basic", "BurnRate", "BurnWindow", "Condition", "Corroborate", "DetectorSpec", "Detectors", "Evidence", "Expected",
    "FileSource", "Flap", "Gauge", "Growth", "Increase", "Inventory", "LabelName", "Measured", "Minimum", "Name", "NoData", "Pattern", "Peers", "PrometheusSource", "Quantile",
    "Ratio", "ScrapeSource", "SeenWithin", "ShareOver", "SignalSpec", "Source", "Suspended", "Target",
    "Telemetry", "Tls", "Where", "While",
]  # fmt: skip
