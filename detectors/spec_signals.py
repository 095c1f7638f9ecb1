"""The quantities a signal may be: counted, measured, fitted or compared; their keys and units."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from config.problems import Wrong
from config.section import Section
from config.units import Duration, Share, Threshold, shown
from detectors.patterns import danger_of
from detectors.spec_names import LabelName, MetricName, listed, texts


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
    return texts(value) if not isinstance(value, dict | Pattern) else value


Where = dict[LabelName, Annotated[tuple[str, ...] | Pattern, BeforeValidator(_condition)]]
"""Label -> value, list of values or `{re: …}`; applies to every metric of the signal."""

Metrics = Annotated[tuple[MetricName, ...], BeforeValidator(listed), Field(min_length=1)]


Agg = Literal["sum", "avg", "min", "max"]


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
    agg: Agg = "max"


class Age(_Selected):
    """Seconds since the instant a gauge holds (unix seconds); the newest of a scope's series counts."""

    of: Metrics


class Growth(_Selected):
    """Units per second that a gauge grows by, by least squares over the samples within `window`: a queue that only grows.

    Each series is fitted by itself, and `agg` combines what they grow by.
    """

    of: Metrics
    window: Duration = Field(600.0, gt=0)
    agg: Agg = "max"


class Measured(Section):
    """Exactly one quantity, computed from samples."""

    rate: Increase | None = None
    increase: Increase | None = None
    ratio: Ratio | None = None
    share_over: ShareOver | None = None
    quantile: Quantile | None = None
    gauge: Gauge | None = None
    age: Age | None = None
    growth: Growth | None = None

    kinds: ClassVar[tuple[str, ...]] = (
        "rate", "increase", "ratio", "share_over", "quantile", "gauge", "age", "growth",
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [name for name in self.kinds if getattr(self, name) is not None]
        if len(kinds) != 1:
            named = ", ".join(kinds) or "none"
            hint = "use one of " + ", ".join(self.kinds)
            raise Wrong(f"a signal has exactly one kind, this one has {named}", hint)
        return self

    @property
    def kind(self) -> str:
        return next(name for name in self.kinds if getattr(self, name) is not None)

    @property
    def body(self) -> Any:
        """The section of the kind in use (for `probe` and `promql`: the text)."""
        return getattr(self, self.kind)


class BurnWindow(Section):
    """Two windows that must both burn `burn` times as fast as the budget lasts: the long one says that it matters, the
    short one that it goes on.
    """

    long: Duration = Field(gt=0)
    short: Duration = Field(gt=0)
    burn: float = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.short >= self.long:
            raise Wrong("short is not shorter than long", "a twelfth of it is usual: {long: 1h, short: 5m}")
        return self


BURN_WINDOWS: dict[str, list[dict[str, Any]]] = {
    "page": [{"long": "1h", "short": "5m", "burn": 14.4}, {"long": "6h", "short": "30m", "burn": 6.0}],
    "ticket": [{"long": "1d", "short": "2h", "burn": 3.0}, {"long": "3d", "short": "6h", "burn": 1.0}],
}
"""As the SRE workbook has them for a budget of thirty days: 2 % of it in an hour, 5 % in six hours; 10 % in a day or three."""


def _burn_windows(value: Any) -> Any:
    if isinstance(value, str) and value not in BURN_WINDOWS:
        hint = "use page, ticket, or a list of {long: 1h, short: 5m, burn: 14.4}"
        raise Wrong(f"no windows are called {shown(value)}", hint)
    return BURN_WINDOWS[value] if isinstance(value, str) else value


def _page() -> tuple[BurnWindow, ...]:
    return tuple(BurnWindow.model_validate(pair) for pair in BURN_WINDOWS["page"])


class BurnRate(_Selected):
    """How fast the error budget of `objective` burns, as a share of what `windows` let it: above 1 is too fast.

    `of`: failures; `to`: attempts (a list is summed). `windows`: `page` or `ticket`, or a list; the worst of it counts.
    """

    of: Metrics
    to: Metrics
    objective: Share = Field(gt=0, lt=1)
    windows: Annotated[
        tuple[BurnWindow, ...],
        Field(min_length=1),
        BeforeValidator(
            _burn_windows, json_schema_input_type=Literal["page", "ticket"] | tuple[BurnWindow, ...]
        ),
    ] = Field(default_factory=_page)


class Peers(Section):
    """How many robust standard deviations a scope lies `below` or `above` the median of its peers, itself included; 0
    where that is less than `min_absolute` (in the signal's unit) or `min_relative` (of the median).

    `at_least`: others whose value is known, else nothing is. `across`: labels by which peers differ; the other labels
    of `by` must agree. Left out: all scopes are peers.
    """

    signal: Measured
    direction: Literal["below", "above"]
    at_least: int = Field(4, ge=2)
    min_absolute: Threshold = Field(gt=0)
    min_relative: Share = 0.3
    across: tuple[LabelName, ...] = ()

    @model_validator(mode="after")
    def _some_peers(self) -> Self:
        by = self.signal.body.by
        if not by:
            hint = "name the labels that tell scopes apart under by"
            raise Wrong("without by there is one scope, and nobody to compare it with", hint)
        strange = [label for label in self.across if label not in by]
        if strange:
            raise Wrong(f"across names {', '.join(strange)}, which by does not", f"by has {', '.join(by)}")
        return self
