"""The literal table of source kinds: one row per kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from daemon.detect.sources.base import Source
from daemon.detect.sources.file import Recording
from daemon.detect.sources.prometheus import Prometheus
from daemon.detect.sources.scrape import Scrape
from detectors.spec import Source as SourceSpec
from remediations.ports import Clock, Http

Maker = Callable[[str, Any, Http, Clock, int], Source]

KINDS: Mapping[str, Maker] = {
    "prometheus": lambda name, spec, http, _clock, cap: Prometheus(name, spec, http, max_bytes=cap),
    "scrape": lambda name, spec, http, clock, cap: Scrape(name, spec, http, clock, max_bytes=cap),
    "file": lambda name, spec, _http, _clock, _cap: Recording(name, spec),
}
"""By the `type` of the section."""


def build_sources(
    telemetry: Mapping[str, SourceSpec], http: Http, clock: Clock, *, max_bytes: int = 64_000_000
) -> dict[str, Source]:
    """The sources of the section `telemetry`, by name. `max_bytes`: cap of one answer (`limits.response`)."""
    return {name: KINDS[spec.type](name, spec, http, clock, max_bytes) for name, spec in telemetry.items()}
