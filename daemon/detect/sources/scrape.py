"""`/metrics` endpoints read directly: one row per target and fetch, `up` made up as Prometheus makes it up.

Times are those of the fetch. A sample with a timestamp of its own is taken at the fetch's time, and left out when
that timestamp shows it to be stale: what an exporter repeats from memory is no observation.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np

from daemon.detect.sources.base import START_TIME, Access, Source, Wanted, access_of
from daemon.detect.sources.exposition import Decoder, Malformed, Tally
from detectors.samples import UP, Batch, Block, Failed, Labels, Series
from detectors.spec import ScrapeSource, Target
from remediations.ports import Clock, Http, PortError, Request

PARTIAL_BELOW = 0.5
"""A scrape with less than this share of the usual lines counts as failed."""
_USUAL_OVER = 21
_USUAL_FROM = 3
_MAX_SKEW = 30.0
_STALE_AFTER = 2.0
"""Scrape intervals after which a sample's own timestamp makes it stale."""
_MOST_AT_ONCE = 32
_ACCEPT = "text/plain;version=0.0.4;q=1,*/*;q=0.1"


class Scrape:
    """Fits `Source`. All targets are asked at once, each within its own deadline, so a dead one delays no other."""

    def __init__(
        self, name: str, spec: ScrapeSource, http: Http, clock: Clock, *, max_bytes: int = 64_000_000
    ) -> None:
        self.name = name
        access = access_of(spec.auth, spec.headers, spec.tls)
        self._clock = clock
        self._timeout = spec.timeout
        self._targets = [
            _Reader(target, labels, access, http, max_bytes, spec.every)
            for target, labels in zip(spec.targets, _target_labels(name, spec.targets), strict=True)
        ]
        at_once = min(len(self._targets), _MOST_AT_ONCE)
        self._pool = ThreadPoolExecutor(at_once, f"scrape-{name}") if at_once > 1 else None

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        """One row per target at `now`. A target that fails is a row with `up` 0; `since` has no meaning here."""
        del since

        def read(target: _Reader) -> tuple[Block, str]:
            return target.read(wanted.names, now, min(deadline, self._clock.monotonic() + self._timeout))

        each: Callable[..., object] = self._pool.map if self._pool else map
        answers: list[tuple[Block, str]] = list(each(read, self._targets))  # type: ignore[call-overload]  # either map
        troubles = tuple(trouble for _, trouble in answers if trouble)
        return Batch(self.name, now, tuple(block for block, _ in answers), warnings=troubles)

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _target_labels(job: str, targets: Sequence[Target]) -> list[Labels]:
    """`instance`, `job` and the given labels; targets that would look the same are told apart by their path."""
    found: list[Labels] = []
    for target in targets:
        parts = urlsplit(target.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        labels = {"job": job, "instance": f"{host}:{port}", **target.labels}
        if tuple(sorted(labels.items())) in found:
            labels["metrics_path"] = parts.path
        found.append(tuple(sorted(labels.items())))
    return found


@dataclass(slots=True)
class _Usual:
    """How many lines a target usually has, over its last scrapes since its process started."""

    lines: deque[int] = field(default_factory=lambda: deque(maxlen=_USUAL_OVER))
    started: float | None = None

    def judge(self, lines: int, started: float | None) -> str:
        """Why this scrape is partial; empty when it is not. A restarted process may begin small."""
        if started is not None and self.started is not None and started > self.started:
            self.lines.clear()
        self.started = started if started is not None else self.started
        usual = statistics.median(self.lines) if len(self.lines) >= _USUAL_FROM else 0
        self.lines.append(lines)
        return f"{lines} lines where {usual:.0f} are usual" if lines < PARTIAL_BELOW * usual else ""


class _Reader:
    """One target: where it is, how its labels join, what it said before."""

    def __init__(
        self, target: Target, labels: Labels, access: Access, http: Http, max_bytes: int, every: float
    ) -> None:
        self._labels = labels
        self._own = dict(labels)
        self._http = http
        self._max_bytes = max_bytes
        self._stale_after = max(_STALE_AFTER * every, _MAX_SKEW)
        self._request = Request(
            "GET",
            target.url,
            {"Accept": _ACCEPT, **access.headers},
            basic_auth=access.basic,
            tls=access.tls,
        )
        self._up = Series(UP, labels)
        self._usual = _Usual()
        self._decoder: Decoder | None = None

    def read(self, wanted: frozenset[str], now: float, deadline: float) -> tuple[Block, str]:
        """The row of this scrape and what was wrong with it."""
        try:
            response = self._http.send(self._request, deadline=deadline, max_bytes=self._max_bytes)
            if response.status != 200:
                return self._row(now, {}, up=0.0), f"{self._own['instance']}: HTTP {response.status}"
            values = self._decoded(response.body.decode(), wanted, now)
        except PortError as error:
            return self._row(now, {}, up=0.0), str(error)
        except (Malformed, UnicodeDecodeError) as error:
            return self._row(now, {}, up=0.0), f"{self._own['instance']}: {error}"
        return self._row(now, values, up=1.0), ""

    def _decoded(self, text: str, wanted: frozenset[str], now: float) -> dict[Series, float]:
        if self._decoder is None or self._decoder.wanted != wanted | {START_TIME}:
            self._decoder = Decoder(wanted | {START_TIME}, self._joined)
        if text and not text.endswith("\n"):
            raise Malformed("the last line is cut off")
        tally = Tally()
        values: dict[Series, float] = {}
        started: float | None = None
        for sample in self._decoder.read(text, tally):
            if sample.series.name == START_TIME:
                started = sample.value
                if START_TIME not in wanted:
                    continue
            if sample.at is None or now - self._stale_after <= sample.at <= now + _MAX_SKEW:
                values.setdefault(sample.series, sample.value)
        if partial := self._usual.judge(tally.lines, started):
            raise Malformed(f"partial answer: {partial}")
        return values

    def _joined(self, name: str, labels: Labels) -> Series:
        """Target labels win; a label of the same name on the line becomes `exported_…`, as with Prometheus."""
        joined = dict(self._labels)
        for key, value in labels:
            free = key
            while free in joined:
                free = f"exported_{free}"
            joined[free] = value
        return Series(name, tuple(sorted(joined.items())))

    def _row(self, now: float, values: dict[Series, float], *, up: float) -> Block:
        row = np.array([[up, *values.values()]])
        return Block(self._labels, np.array([now]), (self._up, *values), row)


def _fits(source: Scrape) -> Source:
    """The type checker proves here that this is a source."""
    return source
