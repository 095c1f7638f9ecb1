"""The section `telemetry`: where samples come from."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from config.addresses import HeaderName, HeaderText, WebAddress
from config.problems import Wrong
from config.secrets import Secret
from config.section import Section
from config.units import Duration
from detectors.spec_names import LabelName


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
