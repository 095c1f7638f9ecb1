"""What comes in faster than it can be written down is kept or refused, and nothing in between (B25)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.incidents.records import Alert, Order
from daemon.loop.messages import Message
from daemon.loop.recorder import BACKLOG, BATCH, Overloaded, Recorder
from daemon.store.store import Store
from tests.fakes import rows


class Held(Store):
    """A store whose disk takes its time: nothing is recorded before `released`."""

    released = threading.Event()
    recording = threading.Event()

    def record(self, orders: Sequence[Order] = (), alerts: Sequence[Alert] = ()) -> tuple[int, ...]:
        self.recording.set()
        self.released.wait(30)
        return super().record(orders, alerts)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Held]:
    with Held.open(f"sqlite:///{tmp_path / 'state.db'}") as opened:
        opened.migrate()
        opened.released, opened.recording = threading.Event(), threading.Event()
        yield opened


def alert(number: int) -> Alert:
    return replace(rows.alert(), fingerprint=f"f-{number}")


def kept(store: Store) -> set[str]:
    with store.read() as uow:
        found = uow._tx._connection.exec_driver_sql("SELECT doc FROM alerts").all()
    return {json.loads(row[0])["fingerprint"] for row in found}


def test_ten_times_the_backlog_is_on_disk_or_refused_and_the_refused_may_come_again(store: Held) -> None:
    heard: list[Message] = []
    recorder = Recorder(store, heard.append)
    recorder.start()
    first = recorder.submit(alerts=[alert(-1)])
    assert store.recording.wait(10), "the recorder is busy with the disk"
    accepted: dict[int, Future[tuple[int, ...]]] = {}
    refused = []
    for number in range(10 * BACKLOG):
        try:
            accepted[number] = recorder.submit(alerts=[alert(number)])
        except Overloaded:
            refused.append(number)
    assert len(accepted) == BACKLOG
    assert len(refused) == 9 * BACKLOG, "every one too many is told so"
    assert not any(future.done() for future in accepted.values()), "nobody hears yes before it is on disk"
    store.released.set()
    for future in (first, *accepted.values()):
        future.result(30)
    assert kept(store) == {f"f-{number}" for number in (-1, *accepted)}
    assert len(heard) <= 1 + BACKLOG // BATCH + 1, "many share one commit"
    again = recorder.submit(alerts=[alert(refused[0])])
    again.result(30)
    assert f"f-{refused[0]}" in kept(store), "what was refused is not taken for seen"
    recorder.close()
    with pytest.raises(Overloaded):
        recorder.submit(alerts=[alert(0)])
