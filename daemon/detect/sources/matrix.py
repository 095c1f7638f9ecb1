"""Answers of the query API, decoded fast: each series' samples straight into arrays.

`json.loads` makes a list, a float and a text of every sample, and the cyclic collector walks over all of them again
and again. Here the samples of a series, `[[1790000000,"0.5"],[1790000015,"0.7"]]`, are cut out of the text, checked to
have that shape throughout, stripped of brackets and quotes and read as one flat list of numbers; what is left of the
answer is decoded as usual. Whatever looks otherwise is decoded the plain way.
Format: https://prometheus.io/docs/prometheus/latest/querying/api/#range-vectors
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from daemon.detect.sources.base import collector_paused
from daemon.detect.sources.blocks import Track
from detectors.samples import Floats, Series

_BEGIN = b'"values":[['
"""Inside a JSON text the quotes would be escaped, so this is never part of a label's value."""
_END = b"]]"
_KEY = len('"values":')
_STRUCTURE = b'[]"'
_NUMBERS = b"0123456789.+-eENaInf"
"""All that `1e-07`, `NaN` and `+Inf` are written with."""


_SHORT = 300
"""Bytes up to which the plain way is the faster one."""


class Unreadable(ValueError):
    """No answer of the query API, or a series in it that makes no sense."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """`times[N]` unix seconds ascending, `values[N]`."""

    times: Floats
    values: Floats


def decode(body: bytes) -> dict[str, Any]:
    """The answer as a dictionary; `values` of a long series are `Samples`, if they could be read fast.

    Raises `Unreadable` when it is no JSON object.
    """
    with collector_paused():
        skeleton, cut = _cut(body)
        answer = _loaded(skeleton)
        if cut and not _filled(answer, cut):
            answer = _loaded(body)
    if not isinstance(answer, dict):
        raise Unreadable("no JSON object")
    return answer


def tracks(result: Iterable[Mapping[str, Any]]) -> list[Track]:
    """Series of a matrix answer; native histograms (`histograms`) are no samples of ours. Raises `Unreadable`."""
    found = []
    shared = _Shared()
    for item in result:
        try:
            labels = dict(item["metric"])
            name = labels.pop("__name__")
            samples = shared.samples(item.get("values") or ())
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise Unreadable(f"cannot read a series of the answer: {type(error).__name__}") from error
        if len(samples.times):
            found.append(Track(Series(name, tuple(sorted(labels.items()))), samples.times, samples.values))
    return found


def samples_of(pairs: Any) -> Samples:
    """Samples of one series from what `decode` left in its place. Raises like `float`, or `Unreadable`."""
    return _Shared().samples(pairs)


class _Shared:
    """Makes samples, with one array of times for series one after the other that have the same."""

    def __init__(self) -> None:
        self._listed: list[float] | None = None
        self._times: Floats = np.empty(0)

    def samples(self, pairs: Any) -> Samples:
        if isinstance(pairs, Samples):
            if np.array_equal(self._times, pairs.times):
                return Samples(self._times, pairs.values)
            self._listed, self._times = None, pairs.times
            return pairs
        times = [float(pair[0]) for pair in pairs]
        values = np.array([float(pair[1]) for pair in pairs], dtype=np.float64)
        if times != self._listed:
            self._listed, self._times = times, _ascending(np.array(times, dtype=np.float64))
        return Samples(self._times, values)


def _loaded(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _cut(body: bytes) -> tuple[bytes, list[Samples]]:
    """The answer with each series' samples replaced by their number, and the samples."""
    kept: list[bytes] = []
    cut: list[Samples] = []
    done = 0
    begin = body.find(_BEGIN)
    while begin >= 0:
        end = body.find(_END, begin)
        if end < 0:
            break
        samples = _read(body[begin + len(_BEGIN) : end]) if end - begin > _SHORT else None
        if samples is not None:
            kept += (body[done : begin + _KEY], b'{"cut":%d}' % len(cut))
            cut.append(samples)
            done = end + len(_END)
        begin = body.find(_BEGIN, end)
    return (b"".join([*kept, body[done:]]), cut) if cut else (body, cut)


def _read(text: bytes) -> Samples | None:
    """Samples from `T,"V"],[T,"V"`; None when it has any other shape."""
    count = text.count(b'"],[') + 1
    shape = b',""],[' * (count - 1) + b',""'
    if text.count(b',"') != count or text.translate(None, _NUMBERS) != shape or not text.endswith(b'"'):
        return None
    flat = text.translate(None, _STRUCTURE)
    try:
        numbers = array("d", orjson.loads(b"[%b]" % flat))
    except (orjson.JSONDecodeError, TypeError):  # NaN and infinities are no JSON
        try:
            numbers = array("d", map(float, flat.split(b",")))
        except ValueError:
            return None
    pairs = np.frombuffer(numbers).reshape(-1, 2)
    try:
        return Samples(_ascending(np.ascontiguousarray(pairs[:, 0])), np.ascontiguousarray(pairs[:, 1]))
    except Unreadable:
        return None


def _ascending(times: Floats) -> Floats:
    if not np.isfinite(times).all() or (times[1:] <= times[:-1]).any():
        raise Unreadable("times out of order")
    return times


def _filled(answer: Any, cut: list[Samples]) -> bool:
    """Put the samples back where their numbers stand; False when they do not stand there one after the other."""
    data = answer.get("data") if isinstance(answer, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    place = 0
    for item in result if isinstance(result, list) else ():
        mark = item.get("values") if isinstance(item, Mapping) else None
        if isinstance(mark, dict):
            if mark != {"cut": place} or place == len(cut):
                return False
            item["values"] = cut[place]
            place += 1
    return place == len(cut)
