"""A Prometheus-compatible HTTP API: raw samples by one range selector per poll, `promql:` signals by query.

https://prometheus.io/docs/prometheus/latest/querying/api/ - also spoken by Thanos, Mimir and VictoriaMetrics.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import numpy as np

from config.cutting import whole_words
from daemon.detect.sources import matrix
from daemon.detect.sources.base import OVERLAP, QUERY, Access, Query, Source, Wanted, access_of
from daemon.detect.sources.blocks import blocks_of
from detectors.samples import UP, Batch, Block, Failed, Floats, Labels, Series
from detectors.spec import PrometheusSource
from remediations.ports import Http, PortError, Request, Response, TooLarge

_LONGEST_GET = 6000
"""Longer queries go by POST, since proxies cut addresses off near 8 kB."""
MOST_POINTS = 10_000
"""Prometheus refuses more than 11 000 points of one series in a range query."""
LATENCY = 30.0
"""In the newest seconds of a range VictoriaMetrics repeats what was before them (`-search.latencyOffset`), so these
instants are asked for one by one."""
MOST_SINGLY = 30
_MOST_OTHERS, _MOST_KEPT = 10_000, 4_000
"""Targets that deliver nothing wanted, and scrapes of each, that are remembered. What is beyond is unknown once it delivers."""
_SHOWN = 300
_REFUSED = frozenset({401, 403})
_EXACTLY = {"nocache": "1"}
"""VictoriaMetrics would move the instants asked for, to answer from its cache; others ignore it."""
_BUSY = frozenset({429, 502, 503, 504})
_OVER_A_LIMIT = re.compile(r"too many|too large|exceed|limit|cannot select more|timed out", re.IGNORECASE)
"""What servers say of a query that would have to be smaller: samples, series, points, bytes, time."""


class QueryFailed(Exception):
    """The API answered, and the answer is no use; the message says why."""


class TooMuch(QueryFailed):
    """A bound was reached, the server's or our own: a shorter span may be answered."""


class Lost(QueryFailed):
    """No answer this time; the question may be asked again."""


@dataclass(slots=True)
class Ours:
    """Targets that ever delivered something wanted; the `up` of all others is kept back.

    When one of those delivers, what was kept of it is handed out too: that its scrapes worked before tells that what
    is new in them began at 0.
    """

    _targets: set[Labels] = field(default_factory=set)
    _others: dict[Labels, array[float]] = field(default_factory=dict)
    """time, value, time, value, …"""

    def of(self, blocks: Iterable[Block], look_back: float) -> tuple[Block, ...]:
        """`look_back`: seconds of `up` that are kept."""
        blocks = tuple(blocks)
        new = {block.target for block in blocks if len(block.series) > 1} - self._targets
        self._targets |= new
        found = []
        for block in blocks:
            if block.target in new:
                found.append(self._whole(block))
                new.discard(block.target)
            elif block.target in self._targets or block.series[0].name != UP:
                found.append(block)
            else:
                self._keep(block, look_back)
        return tuple(found)

    def _keep(self, block: Block, look_back: float) -> None:
        kept = self._others.get(block.target)
        if kept is None:
            if len(self._others) >= _MOST_OTHERS:
                return
            kept = self._others[block.target] = array("d")
        newer = slice(int(block.times.searchsorted(kept[-2], side="right")) if kept else 0, None)
        kept.extend(np.column_stack([block.times[newer], block.values[newer, 0]]).ravel())
        before = float(block.times[-1]) - look_back
        if kept[0] < before - look_back or len(kept) > 2 * _MOST_KEPT:
            pairs = np.array(kept).reshape(-1, 2)[-_MOST_KEPT:]
            self._others[block.target] = array("d", pairs[pairs[:, 0] >= before].ravel())

    def _whole(self, block: Block) -> Block:
        """With the scrapes before it."""
        kept = np.array(self._others.pop(block.target, array("d"))).reshape(-1, 2)
        kept = kept[kept[:, 0] < block.times[0]]
        up = next((column for column, one in enumerate(block.series) if one.name == UP), None)
        if not len(kept) or up is None:
            return block
        values = np.full((len(kept), len(block.series)), np.nan)
        values[:, up] = kept[:, 1]
        times = np.concatenate([kept[:, 0], block.times])
        return Block(block.target, times, block.series, np.vstack([values, block.values]))


class Prometheus:
    """Fits `Source`. Samples are looked at `delay` seconds late, so that slow ingestion does not look like silence."""

    def __init__(self, name: str, spec: PrometheusSource, http: Http, *, max_bytes: int = 64_000_000) -> None:
        self.name = name
        self.delay = spec.delay
        self._url = spec.url.rstrip("/")
        self._http = http
        self._max_bytes = max_bytes
        self._access: Access = access_of(spec.auth, spec.headers, spec.tls)
        self._ours = Ours()

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        """Samples after `since` up to `now - delay`, a little of what is known again for what came late."""
        at = round(now - self.delay, 3)
        warnings: list[str] = []
        try:
            known = math.inf if since is None else max(at - since, 0.0) + OVERLAP
            span = min(known, wanted.look_back)
            blocks = self._ours.of(self.samples(wanted.names, at, span, deadline, warnings), wanted.look_back)
        except QueryFailed as error:
            return Failed(self.name, at, str(error))
        times, singly = _instants(wanted, since, at)
        troubles = []
        for query in wanted.queries:
            try:
                blocks += (self.answer(query, times, wanted.step, deadline, warnings, singly=singly),)
            except QueryFailed as error:
                troubles.append(f"{query.expr[:_SHOWN]}: {error}")
                blocks += (nothing_known(query, [at]),)
        return Batch(self.name, at, blocks, complete=not warnings, warnings=(*warnings, *troubles))

    def close(self) -> None:
        """Nothing is held."""

    def samples(
        self, names: Iterable[str], at: float, span: float, deadline: float, warnings: list[str]
    ) -> tuple[Block, ...]:
        """Raw samples of the `span` seconds before `at`, with the `up` of every target. Raises `QueryFailed`."""
        pattern = "|".join(sorted({*names, UP}))
        selector = f'{{__name__=~"{pattern}"}}[{max(math.ceil(span * 1000), 1)}ms]'
        answer = self._ask("query", {"query": selector, "time": f"{at:.3f}"}, deadline)
        warnings += _warnings(answer)
        try:
            return blocks_of(matrix.tracks(_result(answer, "matrix")))
        except matrix.Unreadable as error:
            raise QueryFailed(str(error)) from error

    def answer(
        self,
        query: Query,
        times: Sequence[float],
        step: float,
        deadline: float,
        warnings: list[str],
        *,
        singly: int = 0,
    ) -> Block:
        """A query's answer at these instants, `step` apart, as a block of its own. Raises `QueryFailed`.

        `singly`: how many of the newest are asked for one by one.
        """
        split = max(len(times) - singly, 0)
        early, late = (times[:split], times[split:]) if split > 1 else ((), times)
        rows = self._over(query, early, step, deadline, warnings) if early else []
        for at in late:
            asked = {"query": query.expr, "time": f"{at:.3f}", **_EXACTLY}
            answer = self._ask("query", asked, deadline)
            rows += [{**item, "values": [item.get("value")]} for item in _result(answer, "vector")]
            warnings += _warnings(answer)
        try:
            return _answered(query, np.array(times), rows)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise QueryFailed(f"cannot read the answer to a query: {type(error).__name__}") from error

    def _over(
        self, query: Query, times: Sequence[float], step: float, deadline: float, warnings: list[str]
    ) -> list[dict[str, Any]]:
        if len(times) > MOST_POINTS + 1:
            raise TooMuch(f"{len(times)} points of a query at once")
        bounds = {"start": f"{times[0]:.3f}", "end": f"{times[-1]:.3f}", "step": f"{step:.3f}"}
        answer = self._ask("query_range", {"query": query.expr, **bounds, **_EXACTLY}, deadline)
        warnings += _warnings(answer)
        return _result(answer, "matrix")

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
        except TooLarge as error:
            raise TooMuch(str(error)) from error
        except PortError as error:
            raise Lost(str(error)) from error
        return _decoded(response)


def _decoded(response: Response) -> dict[str, Any]:
    busy = response.status in _BUSY
    if response.status in _REFUSED:  # whatever it says may repeat what it was asked with
        raise QueryFailed(f"HTTP {response.status}: not let in; look at auth, headers and tls of this source")
    try:
        answer = matrix.decode(response.body)
    except matrix.Unreadable:
        answer = {}
    if answer.get("status") not in {"success", "error"}:
        kind = Lost if busy else QueryFailed
        raise kind(f"HTTP {response.status} without an answer of the query API")
    if answer["status"] == "error":
        text = whole_words(f"{answer.get('errorType', 'error')}: {answer.get('error', '')}", _SHOWN)
        if _OVER_A_LIMIT.search(text):
            raise TooMuch(text)
        raise Lost(text) if busy else QueryFailed(text)
    return answer


def _warnings(answer: Mapping[str, Any]) -> list[str]:
    """Warnings mean that a part is missing (a store behind the API did not answer); `infos` are mere advice."""
    found = answer.get("warnings") or ()
    return [whole_words(str(text), _SHOWN) for text in found][:20]


def _result(answer: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    data = answer.get("data")
    if isinstance(data, dict) and data.get("resultType") == kind and isinstance(data.get("result"), list):
        return list(data["result"])
    if kind == "vector" and isinstance(data, dict) and data.get("resultType") == "scalar":
        return [{"metric": {}, "value": data["result"]}]
    raise QueryFailed(f"expected a {kind} from the query API")


def _instants(wanted: Wanted, since: float | None, at: float) -> tuple[list[float], int]:
    """When to evaluate queries: now, and the steps that were missed before it; how many of them one by one."""
    begin = at - wanted.look_back if since is None else since
    missed = math.floor((at - begin) / wanted.step + 0.5) - 1
    missed = max(0, min(missed, MOST_POINTS))
    times = [at - wanted.step * back for back in range(missed, -1, -1)]
    late = [time for time in times if time > at - LATENCY]
    singly = min(len(late), MOST_SINGLY)
    return times[: len(times) - len(late)] + late[-singly:], singly


def query_target(query: Query) -> Labels:
    """What stands for a target in the block of a query."""
    return ((QUERY, query.name),)


def nothing_known(query: Query, times: Sequence[float]) -> Block:
    """What stands for the answer of a query that failed, at these instants."""
    target = query_target(query)
    return Block(target, np.array(times), (Series(UP, target),), np.zeros((len(times), 1)))


def _answered(query: Query, times: Floats, rows: Iterable[Mapping[str, Any]]) -> Block:
    """A row per instant, NaN where the answer has no value. Both sides count milliseconds."""
    target = query_target(query)
    instants = np.rint(times * 1000)
    columns: dict[Labels, Floats] = {}
    for item in rows:
        labels = tuple(sorted((key, value) for key, value in item["metric"].items() if key != "__name__"))
        samples = matrix.samples_of(item.get("values") or ())
        column = columns.setdefault(labels, np.full(len(times), np.nan))
        at = np.rint(samples.times * 1000)
        place = np.minimum(np.searchsorted(instants, at), len(instants) - 1)
        asked = instants[place] == at
        column[place[asked]] = samples.values[asked]
    series = (Series(UP, target), *(Series(query.name, labels) for labels in columns))
    values = np.column_stack([np.ones(len(times)), *columns.values()])
    return Block(target, times, series, values)


def _fits(source: Prometheus) -> Source:
    """The type checker proves here that this is a source."""
    return source
