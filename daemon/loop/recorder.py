"""Recorder: orders and alerts become rows before anyone is told 200. Many requests share one commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import islice
from queue import Empty, Full, Queue
from typing import Any

from daemon.incidents.records import Alert, Order
from daemon.loop.messages import Message, Recorded
from daemon.store.store import Store

BACKLOG = 2_000
"""Submissions waiting for a commit; one more is refused, and the sender told to come back (503)."""
BATCH = 500


class Overloaded(Exception):
    """The backlog is full, or the recorder is closed: answer 503, the sender retries."""


@dataclass(slots=True)
class _Submission:
    orders: Sequence[Order]
    alerts: Sequence[Alert]
    done: Future[tuple[int, ...]] = field(default_factory=Future)


class Recorder:
    """One thread that only appends. `deliver` wakes the loop after each commit.

    `redact` takes every known secret out of data: what others send, and what people type, is kept without them.
    """

    def __init__(
        self,
        store: Store,
        deliver: Callable[[Message], None],
        redact: Callable[[Any], Any] = lambda data: data,
    ) -> None:
        self._store, self._deliver, self._redact = store, deliver, redact
        self._backlog: Queue[_Submission | None] = Queue(BACKLOG)
        self._thread = threading.Thread(target=self._serve, name="recorder", daemon=True)
        self._closed = False

    def start(self) -> None:
        self._thread.start()

    def submit(self, orders: Sequence[Order] = (), alerts: Sequence[Alert] = ()) -> Future[tuple[int, ...]]:
        """The orders' ids, once on disk. The future carries the store's error if it could not be. Raises `Overloaded`."""
        submission = _Submission(
            [self._order(order) for order in orders], [self._alert(alert) for alert in alerts]
        )
        if self._closed:
            raise Overloaded("shutting down")
        try:
            self._backlog.put_nowait(submission)
        except Full:
            raise Overloaded(f"{BACKLOG} submissions are waiting") from None
        return submission.done

    @property
    def waiting(self) -> int:
        """Submissions that wait for a commit."""
        return self._backlog.qsize()

    def close(self) -> None:
        """Refuse what comes, commit what waits."""
        self._closed = True
        if self._thread.is_alive():
            self._backlog.put(None)
            self._thread.join(5.0)

    def _order(self, order: Order) -> Order:
        return replace(order, args=self._redact(order.args))

    def _alert(self, alert: Alert) -> Alert:
        labels, notes = self._redact(alert.labels), self._redact(alert.annotations)
        return replace(alert, fingerprint=self._redact(alert.fingerprint), labels=labels, annotations=notes)

    def _serve(self) -> None:
        while (first := self._backlog.get()) is not None:
            batch, last = self._gather(first)
            self._commit(batch)
            if last:
                return

    def _gather(self, first: _Submission) -> tuple[list[_Submission], bool]:
        batch = [first]
        while len(batch) < BATCH:
            try:
                more = self._backlog.get_nowait()
            except Empty:
                break
            if more is None:
                return batch, True
            batch.append(more)
        return batch, False

    def _commit(self, batch: list[_Submission]) -> None:
        try:
            ids = self._store.record(
                [order for submission in batch for order in submission.orders],
                [alert for submission in batch for alert in submission.alerts],
            )
        except Exception as error:  # noqa: BLE001 - whatever it was, those who wait must hear it
            for submission in batch:
                submission.done.set_exception(error)
            return
        self._deliver(Recorded())
        rest = iter(ids)
        for submission in batch:
            submission.done.set_result(tuple(islice(rest, len(submission.orders))))
