"""A Prometheus-compatible HTTP API: raw samples by one range selector per poll, `promql:` signals by query.

https://prometheus.io/docs/prometheus/latest/querying/api/ - also spoken by Thanos, Mimir and VictoriaMetrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import numpy as np
import orjson

from daemon.detect.sources.base import OVERLAP, Access, Query, Source, Wanted, access_of, collector_paused
from daemon.detect.sources.blocks import Track, blocks_of
from detectors.samples import UP, Batch, Block, Failed, Labels, Series
from detectors.spec import PrometheusSource
from remediations.ports import Http, PortError, Request, Response

_LONGEST_GET = 6000
"""Longer queries go by POST, since proxies cut addresses off near 8 kB."""
_MOST_POINTS = 10_000
"""Prometheus refuses more than 11 000 points of one series in a range query."""
_SHOWN = 300


class QueryFailed(Exception):
    """The API answered, and the answer is no use; the message says why."""


class Prometheus:
    """Fits `Source`. Samples are looked at `delay` seconds late, so that slow ingestion does not look like silence."""

    def __init__(self, name: str, spec: PrometheusSource, http: Http, *, max_bytes: int = 64_000_000) -> None:
        self.name = name
        self._url = spec.url.rstrip("/")
        self._delay = spec.delay
        self._http = http
        self._max_bytes = max_bytes
        self._access: Access = access_of(spec.auth, spec.headers, spec.tls)
        self._ours: set[Labels] = set()
        """Targets that ever delivered something wanted; the `up` of all others is left out."""

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        """Samples after `since` up to `now - delay`, a little of what is known again for what came late."""
        at = round(now - self._delay, 3)
        warnings: list[str] = []
        try:
            known = math.inf if since is None else max(at - since, 0.0) + OVERLAP
            span = min(known, wanted.look_back)
            blocks = self._samples(wanted.names, at, span, deadline, warnings)
        except QueryFailed as error:
            return Failed(self.name, at, str(error))
        for query in wanted.queries:
            blocks += (self._answer(query, wanted, since, at, deadline, warnings),)
        return Batch(self.name, at, blocks, complete=not warnings, warnings=tuple(warnings))

    def close(self) -> None:
        """Nothing is held."""

    def _samples(
        self, names: Iterable[str], at: float, span: float, deadline: float, warnings: list[str]
    ) -> tuple[Block, ...]:
        pattern = "|".join(sorted({*names, UP}))
        selector = f'{{__name__=~"{pattern}"}}[{max(math.ceil(span * 1000), 1)}ms]'
        answer = self._ask("query", {"query": selector, "time": f"{at:.3f}"}, deadline)
        warnings += _warnings(answer)
        with collector_paused():
            blocks = blocks_of(_tracks(_result(answer, "matrix")))
        self._ours.update(block.target for block in blocks if len(block.series) > 1)
        return tuple(block for block in blocks if block.target in self._ours or block.series[0].name != UP)

    def _answer(
        self,
        query: Query,
        wanted: Wanted,
        since: float | None,
        at: float,
        deadline: float,
        warnings: list[str],
    ) -> Block:
        """One query's answer as a block of its own; where it fails, a row that says that nothing is known."""
        target: Labels = (("query", query.name),)
        try:
            times = _instants(wanted, since, at)
            if len(times) == 1:
                answer = self._ask("query", {"query": query.expr, "time": f"{at:.3f}"}, deadline)
                rows = [(item["metric"], [item["value"]]) for item in _result(answer, "vector")]
            else:
                bounds = {"start": f"{times[0]:.3f}", "end": f"{times[-1]:.3f}", "step": f"{wanted.step:.3f}"}
                answer = self._ask("query_range", {"query": query.expr, **bounds}, deadline)
                rows = [(item["metric"], item["values"]) for item in _result(answer, "matrix")]
            block = _answered(target, query.name, times, rows)
        except (QueryFailed, KeyError, TypeError, ValueError):
            return Block(target, np.array([at]), (Series(UP, target),), np.zeros((1, 1)))
        warnings += _warnings(answer)
        return block

    def _ask(self, what: str, arguments: Mapping[str, str], deadline: float) -> dict[str, Any]:
        form = urlencode(arguments)
        url = f"{self._url}/api/v1/{what}"
        headers = {"Accept": "application/json", **self._access.headers}
        if len(form) <= _LONGEST_GET:
            request = Request(
                "GET", f"{url}?{form}", headers, None, basic_auth=self._access.basic, tls=self._access.tls
            )
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            request = Request(
                "POST", url, headers, form.encode(), basic_auth=self._access.basic, tls=self._access.tls
            )
        try:
            response = self._http.send(request, deadline=deadline, max_bytes=self._max_bytes)
        except PortError as error:
            raise QueryFailed(str(error)) from error
        return _decoded(response)


def _decoded(response: Response) -> dict[str, Any]:
    with collector_paused():
        try:
            answer = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            answer = None
    if not isinstance(answer, dict) or answer.get("status") not in {"success", "error"}:
        raise QueryFailed(f"HTTP {response.status} without an answer of the query API")
    if answer["status"] == "error":
        raise QueryFailed(f"{answer.get('errorType', 'error')}: {answer.get('error', '')}"[:_SHOWN])
    return answer


def _warnings(answer: Mapping[str, Any]) -> list[str]:
    """Warnings mean that a part is missing (a store behind the API did not answer); `infos` are mere advice."""
    found = answer.get("warnings") or ()
    return [str(text)[:_SHOWN] for text in found][:20]


def _result(answer: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    data = answer.get("data")
    if isinstance(data, dict) and data.get("resultType") == kind and isinstance(data.get("result"), list):
        return list(data["result"])
    if kind == "vector" and isinstance(data, dict) and data.get("resultType") == "scalar":
        return [{"metric": {}, "value": data["result"]}]
    raise QueryFailed(f"expected a {kind} from the query API")


def _tracks(result: Iterable[Mapping[str, Any]]) -> list[Track]:
    """Series of a matrix answer; native histograms (`histograms`) are no samples of ours."""
    tracks = []
    last: tuple[list[float], np.ndarray[Any, np.dtype[np.float64]]] | None = None
    for item in result:
        try:
            pairs = item.get("values") or ()
            labels = dict(item["metric"])
            name = labels.pop("__name__")
            times = [float(pair[0]) for pair in pairs]
            values = np.array([float(pair[1]) for pair in pairs])
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise QueryFailed(f"cannot read a series of the answer: {type(error).__name__}") from error
        if not times:
            continue
        if last is None or last[0] != times:
            last = (times, np.array(times))
        tracks.append(Track(Series(name, tuple(sorted(labels.items()))), last[1], values))
    return tracks


def _instants(wanted: Wanted, since: float | None, at: float) -> list[float]:
    """When to evaluate queries: now, and the steps that were missed before it."""
    begin = at - wanted.look_back if since is None else since
    missed = math.floor((at - begin) / wanted.step + 0.5) - 1
    missed = max(0, min(missed, _MOST_POINTS))
    return [at - wanted.step * back for back in range(missed, -1, -1)]


def _answered(
    target: Labels, name: str, times: list[float], rows: Iterable[tuple[Mapping[str, str], Iterable[Any]]]
) -> Block:
    found: dict[Labels, dict[float, float]] = {}
    for metric, pairs in rows:
        labels = tuple(sorted((key, value) for key, value in metric.items() if key != "__name__"))
        found.setdefault(labels, {}).update({round(float(at), 3): float(value) for at, value in pairs})
    series = (Series(UP, target), *(Series(name, labels) for labels in found))
    values = np.full((len(times), len(series)), np.nan)
    values[:, 0] = 1.0
    for column, samples in enumerate(found.values(), start=1):
        for row, at in enumerate(times):
            values[row, column] = samples.get(round(at, 3), np.nan)
    return Block(target, np.array(times), series, values)


def _fits(source: Prometheus) -> Source:
    """The type checker proves here that this is a source."""
    return source
