"""Queries put to a source that answers none."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.yamlfile import Path
from daemon.settings.lint.check import Check, Found, View
from detectors.spec import PrometheusSource, SignalSpec


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        places: list[tuple[Path, SignalSpec]] = [(("signal",), one.spec.signal)]
        if one.spec.while_ is not None:
            places.append((("while", "signal"), one.spec.while_.signal))
        for place, signal in places:
            key = "pushdown" if signal.pushdown else "promql"
            path = (*one.path, *place, key)
            if signal.probe is not None and signal.pushdown:
                yield Found(path, "a probe is asked by the daemon, never by a source", "leave pushdown out")
            elif one.source is None or isinstance(one.source, PrometheusSource):
                continue
            elif signal.pushdown or signal.promql is not None:
                text = f"a source of type {one.source.type} answers no queries: this is unknown for ever"
                hint = "leave pushdown out" if signal.pushdown else "name a source of type prometheus"
                yield Found(path, text, hint)


CHECK = Check(
    code="query-unanswered",
    title="A query for a source that answers none",
    gravity=Gravity.ERROR,
    why="""`promql` and `pushdown` leave the arithmetic to the source, by the query API of Prometheus. `/metrics` read
directly and recorded files have samples and no such API. Nobody would ever answer, and a scope that was never seen is
missed by nobody.""",
    fix="Let the daemon compute the signal, or read it from a source of type `prometheus`.",
    example="""telemetry:
  edge: {type: scrape, targets: ["http://127.0.0.1:9101/metrics"]}
detectors:
  backlog:
    failure_mode: ingestion_stopped
    source: edge
    signal: {promql: "sum(queue_depth)"}   # <--
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    better="""telemetry:
  edge: {type: scrape, targets: ["http://127.0.0.1:9101/metrics"]}
detectors:
  backlog:
    failure_mode: ingestion_stopped
    source: edge
    signal: {gauge: {of: queue_depth, agg: sum}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    find=_find,
)
