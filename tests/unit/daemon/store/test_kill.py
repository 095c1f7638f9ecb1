"""Kill -9 anywhere: what was acknowledged is there, and nothing is there by half."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from daemon.store.store import Store

WRITER = """
import sys
from daemon.incidents.change import Change
from daemon.store.store import Store
from tests.fakes import rows
store = Store.open("sqlite:///" + sys.argv[1])
store.migrate()
for n in range(100_000):
    key = f"i-{n}"
    with store.write() as uow:
        uow.apply(Change(
            incident=rows.incident(key),
            deliveries=(rows.delivery(f"{key}/page", incident=key),),
            events=(rows.event(incident=key),) * 3,
        ))
    print(n, flush=True)
"""


@pytest.mark.parametrize("after", [0.02, 0.11, 0.25])
def test_every_acknowledged_commit_survives_a_kill(tmp_path: Path, after: float) -> None:
    path = tmp_path / "state.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        threading.Event().wait(after)
        writer.send_signal(signal.SIGKILL)
        acknowledged = len([first, *writer.stdout.read().splitlines()])
        writer.wait()
    with Store.open(f"sqlite:///{path}") as store, store.read() as uow:
        incidents = [row.id for row in uow.incidents.open()]
        assert acknowledged <= len(incidents) <= acknowledged + 1
        assert set(incidents) == {f"i-{n}" for n in range(len(incidents))}
        for key in incidents:  # a change is whole: the incident, the page it owes, its events
            assert uow.deliveries.get(f"{key}/page") is not None
            assert len(uow.timeline.of(key)) == 3
