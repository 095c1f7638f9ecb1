"""What a backtest reads from in place of the configured telemetry: a recorded file, or the history of a Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.detect.plan import Sections, plan_of
from daemon.detect.sources.base import Source
from daemon.detect.sources.file import Recording
from daemon.detect.sources.prometheus import Prometheus
from daemon.replay.backtest import DAY
from daemon.replay.cache import SPAN, Cached, Missing, joined
from daemon.replay.shelf import Shelf
from detectors.spec import FileSource, PrometheusSource
from detectors.spec import Source as SourceSpec
from remediations.ports import Clock, Http


@dataclass(frozen=True, slots=True)
class Past:
    """`sources` by the names of the configuration: what is not among them is not read. `chunk`: seconds read at once."""

    sections: Sections
    sources: Mapping[str, Source]
    chunk: float

    @property
    def detectors(self) -> Mapping[str, str]:
        """Enabled detectors, and the source that each reads."""
        return {name: rule.source for name, rule in plan_of(self.sections).rules.items()}

    @property
    def left_out(self) -> Mapping[str, str]:
        """Detectors of sources that are not read, and why they cannot be judged."""
        return _left_out(self)

    @property
    def answered(self) -> bool:
        """Whether anything could be read at all."""
        return True

    def close(self) -> None:
        """Nothing is read from it again."""
        for source in self.sources.values():
            source.close()


@dataclass(frozen=True, slots=True)
class Recorded(Past):
    """A file in place of the sources `tapes`."""

    tapes: Mapping[str, Recording]

    def span(self) -> tuple[float, float] | None:
        """Reads the file. Unix seconds of the first and last sample that a detector reads; None when there is none.

        Raises `OSError`, and `Malformed` with file and line.
        """
        plan = plan_of(self.sections)
        names = {name: plan.sources[name].wanted.names for name in self.tapes}
        first = next(iter(self.tapes.values()))
        first.span(frozenset().union(*names.values()))  # the file is read once for all
        spans = [found for name, tape in self.tapes.items() if (found := tape.span(names[name]))]
        return (min(begin for begin, _ in spans), max(end for _, end in spans)) if spans else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was odd about the file."""
        return next(iter(self.tapes.values())).warnings


@dataclass(frozen=True, slots=True)
class Remembered(Past):
    """A Prometheus in place of the sources `histories`."""

    histories: Mapping[str, Cached]
    shelf: Shelf | None

    @property
    def answered(self) -> bool:
        """Whether any chunk came."""
        return any(history.answered for history in self.histories.values())

    @property
    def missing(self) -> list[tuple[str, Missing]]:
        """What could not be read, by source, and in order of time."""
        return [(name, one) for name, history in self.histories.items() for one in joined(history.missing)]

    @property
    def left_out(self) -> Mapping[str, str]:
        """Also those whose source never answered: that their series are not there is not known."""
        silent = {
            name: f"source {name!r} could not be read: {history.missing[-1].reason}"
            for name, history in self.histories.items()
            if history.missing and not history.answered
        }
        mine = {name: silent[source] for name, source in self.detectors.items() if source in silent}
        return {**_left_out(self), **mine}


def recorded(sections: Sections, path: Path, names: tuple[str, ...]) -> Recorded:
    """These sources replaced by a file."""
    spec = FileSource(type="file", path=str(path))
    tapes: dict[str, Recording] = {}
    for name in names:
        tapes[name] = Recording(name, spec, beside=next(iter(tapes.values()), None))
    return Recorded(_replaced(sections, dict.fromkeys(names, spec)), tapes, DAY, tapes)


def remembered(
    sections: Sections, url: str, names: tuple[str, ...], http: Http, clock: Clock, shelf: Shelf | None
) -> Remembered:
    """These sources replaced by the Prometheus at `url`."""
    spec = prometheus_at(sections.telemetry, url)
    cap = sections.limits.response
    histories = {
        name: Cached(Prometheus(name, spec, http, max_bytes=cap), spec, clock, shelf) for name in names
    }
    # As long as one answer: a span that does not come takes as few others along as can be.
    return Remembered(_replaced(sections, dict.fromkeys(names, spec)), histories, SPAN, histories, shelf)


def prometheus_at(telemetry: Mapping[str, SourceSpec], url: str) -> PrometheusSource:
    """The configured source with this address, its credentials included; else a plain one."""
    for spec in telemetry.values():
        if isinstance(spec, PrometheusSource) and spec.url.rstrip("/") == url.rstrip("/"):
            return spec
    return PrometheusSource(type="prometheus", url=url)


def _left_out(past: Past) -> dict[str, str]:
    return {
        name: f"its source {source!r} is not read here"
        for name, source in past.detectors.items()
        if source not in past.sources
    }


def _replaced(sections: Sections, specs: Mapping[str, SourceSpec]) -> Sections:
    return replace(sections, telemetry={**sections.telemetry, **specs})
