"""A Prometheus made of recorded samples: it answers range selectors over HTTP's bytes, and writes them as OpenMetrics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import orjson

from detectors.samples import UP, Series
from remediations.ports import Request, Response, Unreachable

Samples = Mapping[Series, Sequence[tuple[float, float]]]
"""Series -> (instant, value), ascending. A scrape that failed is a sample of `up` that is 0."""

_SELECTOR = re.compile(r'^\{__name__=~"([^"]*)"\}\[(\d+)ms\]$')


@dataclass
class FakePrometheus:
    """Fits `Http`. `away`: spans in which it refuses connections; `now`: the story's clock, which the query has to respect."""

    samples: Samples
    away: Sequence[tuple[float, float]] = ()
    asked: list[float] = field(default_factory=list)

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        del deadline, max_bytes
        query = request.body.decode() if request.body else urlsplit(request.url).query
        arguments = parse_qs(query)
        at = float(arguments["time"][0])
        self.asked.append(at)
        if any(begin <= at < end for begin, end in self.away):
            raise Unreachable("connection refused")
        found = _SELECTOR.match(arguments["query"][0])
        assert found is not None, arguments["query"][0]
        names, span = set(found[1].split("|")), int(found[2]) / 1000
        result = [
            {"metric": {"__name__": series.name, **dict(series.labels)}, "values": values}
            for series, points in self.samples.items()
            if series.name in names
            and (values := [[t, _text(v)] for t, v in points if at - span < t + 1e-6 and t <= at + 1e-6])
        ]
        body = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        return Response(200, {"content-type": "application/json"}, orjson.dumps(body), 0.001)


def open_metrics(samples: Samples) -> str:
    """The same samples as a file."""
    lines = []
    for series, points in samples.items():
        labels = ",".join(f'{name}="{value}"' for name, value in series.labels)
        lines += [f"{series.name}{{{labels}}} {_text(value)} {at:.3f}" for at, value in points]
    return "\n".join([*lines, "# EOF", ""])


def scrapes(
    rows: Mapping[Series, Sequence[float | None]],
    ups: Sequence[bool],
    *,
    begin: float,
    step: float,
    instance: str = "a:1",
) -> dict[Series, list[tuple[float, float]]]:
    """Samples of one target scraped every `step` seconds; None where a series is not in a scrape."""
    target = (("instance", instance), ("job", "x"))
    times = [begin + step * index for index in range(len(ups))]
    found = {Series(UP, target): [(at, float(up)) for at, up in zip(times, ups, strict=True)]}
    for series, values in rows.items():
        labels = tuple(sorted((*series.labels, *target)))
        found[Series(series.name, labels)] = [
            (at, float(value))
            for at, value, up in zip(times, values, ups, strict=True)
            if up and value is not None
        ]
    return found


def _text(value: float) -> str:
    return f"{value:.10g}"
