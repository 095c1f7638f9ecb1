"""The sections `telemetry`, `detectors` and `inventory`: what is read, what is looked for, and who should be there."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from config.addresses import HeaderName, HeaderText, WebAddress
from config.problems import Wrong
from config.secrets import Secret
from config.section import FailureMode, Section, Severity
from config.units import Duration, OfLast, Threshold, shown
from detectors.patterns import danger_of

MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=100)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | int | float) and not isinstance(value, bool) else value


def _texts(value: Any) -> Any:
    """Label values are text; YAML reads `2` as a number, and `true` as neither."""
    listed = _listed(value)
    if not isinstance(listed, list | tuple):
        raise Wrong(f"expected a text or a list of texts, got {shown(value)}", 'quote it: write "true"')
    return [
        str(item) if isinstance(item, int | float) and not isinstance(item, bool) else item for item in listed
    ]


# ---------------------------------------------------------------- telemetry


class Basic(Section):
    """HTTP basic authentication."""

    username: str
    password: Secret


class Auth(Section):
    """How to authenticate at a telemetry source: one of the two."""

    bearer: Secret | None = None
    basic: Basic | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.bearer is None) == (self.basic is None):
            raise Wrong("give exactly one way to authenticate", "use bearer or basic")
        return self


class Tls(Section):
    """Paths of PEM files; what is left out comes from the system's trust store."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None


class PrometheusSource(Section):
    """A Prometheus-compatible HTTP API. `delay`: how late its samples may be; ticks look that far back."""

    type: Literal["prometheus"]
    url: WebAddress
    auth: Auth | None = None
    tls: Tls = Tls()
    headers: dict[HeaderName, HeaderText | Secret] = Field(default_factory=dict)
    delay: Duration = 0.0
    scrape_interval: Duration | None = None
    """Left out: the median spacing seen."""


class Target(Section):
    """One `/metrics` endpoint and labels added to all its series."""

    url: WebAddress
    labels: dict[LabelName, str] = Field(default_factory=dict)


def _target(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class ScrapeSource(Section):
    """`/metrics` endpoints read directly, every `every` seconds."""

    type: Literal["scrape"]
    targets: tuple[Annotated[Target, BeforeValidator(_target)], ...] = Field(min_length=1)
    every: Duration = Field(15.0, gt=0)
    timeout: Duration = Field(5.0, gt=0)
    auth: Auth | None = None
    tls: Tls = Tls()
    headers: dict[HeaderName, HeaderText | Secret] = Field(default_factory=dict)


class FileSource(Section):
    """A recorded OpenMetrics file."""

    type: Literal["file"]
    path: str


Source = Annotated[PrometheusSource | ScrapeSource | FileSource, Field(discriminator="type")]

# ------------------------------------------------------------------ signals


class Pattern(Section):
    """A label matches when the whole value matches the regular expression `re` (RE2-compatible, anchored)."""

    re: str = Field(max_length=500)

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        try:
            re.compile(self.re)
        except re.error as error:
            raise Wrong(f"not a regular expression: {error}", "see the syntax of RE2") from None
        danger = danger_of(self.re)
        if danger:
            raise Wrong(f"{danger}: matching could take for ever", "write it flat, such as navixy-.*")
        return self


def _condition(value: Any) -> Any:
    return _texts(value) if not isinstance(value, dict | Pattern) else value


Where = dict[LabelName, Annotated[tuple[str, ...] | Pattern, BeforeValidator(_condition)]]
"""Label -> value, list of values or `{re: …}`; applies to every metric of the signal."""

Metrics = Annotated[tuple[MetricName, ...], BeforeValidator(_listed), Field(min_length=1)]


class _Selected(Section):
    by: tuple[LabelName, ...] = ()
    """The labels that make a scope; the rest is summed."""
    where: Where = Field(default_factory=dict)


class Increase(_Selected):
    """Growth of counters within `window`: for `rate` per second, for `increase` in all."""

    of: Metrics
    window: Duration = Field(60.0, gt=0)


class Ratio(_Selected):
    """Growth of `of` over growth of `to` (attempts; a list is summed) within `window`."""

    of: Metrics
    to: Metrics
    window: Duration = Field(60.0, gt=0)


class ShareOver(_Selected):
    """Share of a histogram's events above `bound`, exact because `bound` is a bucket edge. `of`: name without `_bucket`."""

    of: MetricName
    bound: Threshold
    window: Duration = Field(60.0, gt=0)


class Quantile(_Selected):
    """`q`-quantile of a histogram within `window`, interpolated in its bucket. `of`: name without `_bucket`."""

    of: MetricName
    q: float = Field(ge=0, le=1)
    window: Duration = Field(60.0, gt=0)


class Gauge(_Selected):
    """The newest value, several series of a scope combined by `agg`."""

    of: Metrics
    agg: Literal["sum", "avg", "min", "max"] = "max"


class Age(_Selected):
    """Seconds since the instant a gauge holds (unix seconds); the newest of a scope's series counts."""

    of: Metrics


class SignalSpec(Section):
    """Exactly one kind of signal. `pushdown`: let the Prometheus source compute it."""

    rate: Increase | None = None
    increase: Increase | None = None
    ratio: Ratio | None = None
    share_over: ShareOver | None = None
    quantile: Quantile | None = None
    gauge: Gauge | None = None
    age: Age | None = None
    probe: Name | None = None
    """Name of a probe: 1 when its answer is ok, 0 when not."""
    promql: str | None = Field(None, max_length=10_000)
    pushdown: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [name for name in KINDS if getattr(self, name) is not None]
        if len(kinds) != 1:
            named = ", ".join(kinds) or "none"
            raise Wrong(
                f"a signal has exactly one kind, this one has {named}", "use one of " + ", ".join(KINDS)
            )
        return self

    @property
    def kind(self) -> str:
        return next(name for name in KINDS if getattr(self, name) is not None)

    @property
    def body(self) -> Any:
        """The section of the kind in use (for `probe` and `promql`: the text)."""
        return getattr(self, self.kind)


KINDS = ("rate", "increase", "ratio", "share_over", "quantile", "gauge", "age", "probe", "promql")

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
    """No finding where fewer than `at_least` events per `per` are normal at this hour of the week."""

    at_least: float = Field(gt=0)
    per: Duration = Field(gt=0)


class NoData(Section):
    """How long nothing may be known before that is a finding of its own."""

    for_: Duration = Field(300.0, alias="for", gt=0)


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
    """Left out: the failure mode's. It may only be raised."""
    minimum: Minimum | None = None
    expected: Expected | None = None
    no_data: NoData = NoData()
    corroborate: Corroborate | None = None
    while_: While | None = Field(None, alias="while")
    fresh_within: Duration | None = None
    """Age up to which evidence is fresh enough to act on; left out: three scrape intervals."""
    enabled: bool = True


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
    return _texts(value) if not isinstance(value, dict | SeenWithin) else value


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
    "KINDS", "Age", "Auth", "Basic", "Condition", "Corroborate", "DetectorSpec", "Detectors", "Evidence", "Expected",
    "FileSource", "Gauge", "Increase", "Inventory", "Minimum", "NoData", "Pattern", "PrometheusSource", "Quantile",
    "Ratio", "ScrapeSource", "SeenWithin", "ShareOver", "SignalSpec", "Source", "Suspended", "Target",
    "Telemetry", "Tls", "While",
]  # fmt: skip
