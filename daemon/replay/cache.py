"""A Prometheus asked for a long time at once: in spans that it can answer, each remembered in a local file.

Spans lie on a grid of their own, so that another start or end finds what was fetched before. An answer over a bound is
asked for again in halves; one that does not come is asked for again for a while, and then its span is unknown.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
import orjson
import tenacity

from config.secrets import Secret
from daemon.detect.sources.base import Source, Wanted
from daemon.detect.sources.pieces import between
from daemon.detect.sources.prometheus import (
    LATENCY,
    Lost,
    Ours,
    Prometheus,
    QueryFailed,
    TooMuch,
    nothing_known,
    query_target,
)
from daemon.replay.shelf import Asked, Shelf
from detectors.samples import Batch, Block, Failed
from detectors.spec import PrometheusSource
from remediations.ports import Clock

SPAN = 21_600.0
"""Seconds asked for at once, while the answers stay within bounds."""
LEAST = 300.0
"""Spans are not halved below this; what does not fit then is unknown."""
SETTLED = 300.0
"""Seconds after which no more late samples are expected: only then an answer is kept."""
_TRIES = 5
_FIRST_TRIES = 3
"""Until it has answered once: the address may be wrong."""
_ONE_TRY = 60.0
_PATIENCE = 180.0
_EPSILON = 1e-6
_MILLISECOND = 0.001
"""To which instants are asked for."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A span (unix seconds) that could not be read, and why."""

    begin: float
    end: float
    reason: str


def joined(missing: Iterable[Missing]) -> list[Missing]:
    """In order of time; spans that touch, and are missing for the same reason, as one."""
    found: list[Missing] = []
    for one in sorted(missing, key=lambda one: (one.reason, one.begin)):
        last = found[-1] if found else None
        if last is not None and last.reason == one.reason and one.begin <= last.end + _MILLISECOND:
            found[-1] = Missing(last.begin, max(last.end, one.end), one.reason)
        else:
            found.append(one)
    return sorted(found, key=lambda one: one.begin)


@dataclass(frozen=True, slots=True)
class _Round:
    """One fetch under way. `phase`: instants of queries are `phase + k * step`."""

    wanted: Wanted
    phase: float
    deadline: float
    warnings: list[str] = field(default_factory=list)


class Cached:
    """Fits `Source`. `missing`: spans that could not be read; `answered`: something was. `sent`: questions really asked.

    `shelf` None: nothing is remembered between runs. `pause` waits so many seconds before another try.
    """

    def __init__(
        self,
        source: Prometheus,
        spec: PrometheusSource,
        clock: Clock,
        shelf: Shelf | None,
        *,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self.name = source.name
        self.missing: list[Missing] = []
        self.answered = False
        self.sent = 0
        self._source = source
        self._place = _place(spec)
        self._clock = clock
        self._shelf = shelf
        self._pause = pause or tenacity.sleep_using_event(threading.Event())
        self._longest = SPAN
        self._tries = _FIRST_TRIES
        self._ours = Ours()
        self._held: tuple[Asked, tuple[Block, ...]] = ({}, ())

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        """Samples after `since` up to `now - delay`: what is remembered, and the rest from the Prometheus."""
        end = round(now - self._source.delay, 3)
        begin = end - wanted.look_back if since is None else since
        this = _Round(wanted, round(end % wanted.step, 3), deadline)
        found: list[Block] = []
        for first, last in self._spans(begin, end):
            try:
                found += between(self._span(this, first, last), begin, end)
            except QueryFailed as error:
                self.missing.append(Missing(begin, end, str(error)))  # nothing of this chunk is judged
                return Failed(self.name, end, str(error))
        self.answered = True
        queries = {query_target(query) for query in wanted.queries}
        blocks = self._ours.of((block for block in found if block.target not in queries), wanted.look_back)
        blocks += tuple(block for block in found if block.target in queries)
        warnings = tuple(this.warnings)
        return Batch(self.name, end, blocks, complete=not warnings, warnings=warnings)

    def close(self) -> None:
        """Keep the folder within its bound."""
        self._source.close()
        if self._shelf is not None:
            self._shelf.trim()

    def _spans(self, begin: float, end: float) -> Iterator[tuple[float, float]]:
        """Of the grid; where a span may still change, no more of it than is needed."""
        for number in range(math.floor(begin / SPAN), math.ceil(end / SPAN)):
            first, last = number * SPAN, (number + 1) * SPAN
            yield (first, last) if self._settled(last) else (max(first, begin), min(last, end))

    def _settled(self, end: float) -> bool:
        return end <= self._clock.now() - self._source.delay - SETTLED

    def _span(self, this: _Round, first: float, last: float) -> tuple[Block, ...]:
        """Samples after `first` up to `last`, in halves where they are too many. Raises `QueryFailed`."""
        asked = self._asked(this, first, last)
        if asked == self._held[0]:
            return self._held[1]
        shelf = self._shelf if self._settled(last) else None
        halved = {**asked, "halved": True}
        kept = shelf.load(asked) if shelf else None
        blocks = kept or None
        if (
            blocks is None
            and last - first <= self._longest
            and not (shelf and shelf.load(halved) is not None)
        ):
            try:
                blocks = self._whole(this, first, last, shelf, asked)
            except Lost:
                if kept is None:
                    raise
                blocks = kept  # nothing was there; that is asked again, and holds while nobody answers
        if blocks is None:
            middle = round((first + last) / 2, 3)
            blocks = (*self._span(this, first, middle), *self._span(this, middle, last))
            if shelf and not this.warnings:
                shelf.save(halved, ())
        self._held = (asked, blocks)
        return blocks

    def _whole(
        self, this: _Round, first: float, last: float, shelf: Shelf | None, asked: Asked
    ) -> tuple[Block, ...] | None:
        """Ask for all of it; None when it is too much. What came whole and is settled is kept."""
        troubles = len(this.warnings) + len(self.missing)
        try:
            blocks = self._patiently(this, first, last)
        except TooMuch:
            if last - first < 2 * LEAST:
                raise
            self._longest = (last - first) / 2
            return None
        if shelf and len(this.warnings) + len(self.missing) == troubles:
            shelf.save(asked, blocks)
        return blocks

    def _patiently(self, this: _Round, first: float, last: float) -> tuple[Block, ...]:
        """Ask, and again while answers are lost; once it has been in vain, only once until an answer comes."""
        end = min(this.deadline, self._clock.monotonic() + _PATIENCE)

        def in_vain(state: tenacity.RetryCallState) -> bool:
            late = self._clock.monotonic() + state.upcoming_sleep >= end
            return late or state.attempt_number >= self._tries

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Lost),
            wait=tenacity.wait_exponential_jitter(multiplier=0.5, max=15.0, jitter=0.5),
            stop=in_vain,
            sleep=self._pause,
            reraise=True,
        )
        try:
            blocks = retrying(self._ask, this, first, last, end)
        except Lost:
            self._tries = 1
            raise
        self._tries = _TRIES
        return blocks

    def _ask(self, this: _Round, first: float, last: float, end: float) -> tuple[Block, ...]:
        warnings: list[str] = []
        wanted = this.wanted
        deadline = min(end, self._clock.monotonic() + _ONE_TRY)
        self.sent += 1
        blocks = list(self._source.samples(wanted.names, last, last - first, deadline, warnings))
        instants = _instants(this, first, last)
        late = sum(at > self._clock.now() - LATENCY for at in instants)
        for query in wanted.queries if instants else ():
            try:
                block = self._source.answer(query, instants, wanted.step, deadline, warnings, singly=late)
            except (Lost, TooMuch):
                raise
            except QueryFailed as error:  # as live: a query that makes no sense takes nothing else along
                self.missing.append(Missing(first, last, f"{query.expr}: {error}"))
                block = nothing_known(query, instants)
            blocks.append(block)
        this.warnings.extend(warnings)
        return tuple(between(blocks, first, last))

    def _asked(self, this: _Round, first: float, last: float) -> Asked:
        wanted = this.wanted
        queries = sorted((query.name, query.expr) for query in wanted.queries)
        return {
            "place": self._place,
            "names": sorted(wanted.names),
            "queries": [*queries, wanted.step, this.phase] if queries else [],
            "begin": first,
            "end": last,
        }


def _instants(this: _Round, begin: float, end: float) -> list[float]:
    """When queries are evaluated after `begin` up to `end`."""
    step = this.wanted.step
    first = math.floor((begin - this.phase) / step + _EPSILON) + 1
    last = math.floor((end - this.phase) / step + _EPSILON)
    instants: list[float] = np.round(this.phase + np.arange(first, last + 1) * step, 3).tolist()
    return instants


def _place(spec: PrometheusSource) -> str:
    """A hash of where samples come from: address and tenant, no secrets."""
    parts = urlsplit(spec.url)
    plain = {name: value for name, value in spec.headers.items() if not isinstance(value, Secret)}
    user = spec.auth.basic.username if spec.auth is not None and spec.auth.basic is not None else ""
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    said = orjson.dumps([address, sorted(plain.items()), user])
    return hashlib.sha256(said).hexdigest()


def _fits(source: Cached) -> Source:
    """The type checker proves here that this is a source."""
    return source
