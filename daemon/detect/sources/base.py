"""What every telemetry source is: asked for wanted series since a time, it answers with a batch or says why not."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from config.secrets import Secret
from detectors.samples import Batch, Failed
from detectors.spec import Auth, Tls

OVERLAP = 30.0
"""Seconds before the newest known sample that are asked for again, for samples that arrive late."""
QUERY = "query"
"""The label that names the query in what stands for a target of its answer."""
START_TIME = "process_start_time_seconds"


@dataclass(frozen=True, slots=True)
class Query:
    """A `promql:` signal: its answer comes as a series called `name`, one per set of labels."""

    name: str
    expr: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the detectors of one source need.

    `names`: metric names, histograms with their `_bucket`. `look_back`: seconds of history asked for when nothing
    is known yet. `step`: seconds between evaluations, for the history of queries.
    """

    names: frozenset[str]
    queries: tuple[Query, ...] = ()
    look_back: float = 600.0
    step: float = 15.0


class Source(Protocol):
    """Runs in a worker, holds no state that a detector decides by. Never raises for what the world does."""

    @property
    def name(self) -> str: ...

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        """Samples after `since` (None: the whole look-back) up to `now`, both unix seconds.

        `deadline` is monotonic seconds, as the ports count. `Batch.at` is the time to evaluate at.
        """
        ...

    def close(self) -> None:
        """Let go of what the source holds (threads); it is not fetched from again."""
        ...


@dataclass(frozen=True, slots=True)
class Access:
    """How a source's requests are dressed, secrets revealed: for the wire only, never for a message."""

    headers: Mapping[str, str]
    basic: tuple[str, str] | None
    tls: Mapping[str, str]

    def __repr__(self) -> str:
        return "Access(***)"


def access_of(auth: Auth | None, headers: Mapping[str, str | Secret], tls: Tls) -> Access:
    """Authentication, extra headers and TLS files of a source's section."""
    plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in headers.items()}
    basic = None
    if auth is not None and auth.bearer is not None:
        plain["Authorization"] = f"Bearer {auth.bearer.reveal()}"
    if auth is not None and auth.basic is not None:
        basic = (auth.basic.username, auth.basic.password.reveal())
    files = {"ca": tls.ca, "cert": tls.cert, "key": tls.key}
    return Access(plain, basic, {name: path for name, path in files.items() if path})


class _Pauses:
    """How many decodings are under way in all workers; the collector pauses while there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._was_on = True

    @contextmanager
    def hold(self) -> Iterator[None]:
        with self._lock:
            if self._depth == 0:
                self._was_on = gc.isenabled()
                gc.disable()
            self._depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if self._depth == 0 and self._was_on:
                    gc.enable()


_pauses = _Pauses()


def collector_paused() -> AbstractContextManager[None]:
    """Decode large JSON under this: with the cyclic collector running it takes four times as long."""
    return _pauses.hold()
