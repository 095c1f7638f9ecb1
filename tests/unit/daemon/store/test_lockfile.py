"""One daemon per SQLite file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.errors import USAGE, AlreadyRunning, StoreSick, exit_code
from daemon.store.lockfile import Lockfile
from daemon.store.store import Store


def test_the_second_daemon_is_refused_and_told_who_holds_the_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    with Store.open(url) as one, Store.open(url) as two:
        one.own()
        one.own()  # the same daemon may ask twice
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}") as refused:
            two.own()
        assert exit_code(refused.value) == USAGE


def test_closing_gives_the_lock_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    for _ in range(2):
        with Store.open(url) as store:
            store.own()


def test_a_daemon_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db.lock"
    program = (
        "import sys; from pathlib import Path; from daemon.store.lockfile import Lockfile;"
        "lock = Lockfile(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning, match=f"process {holder.pid}"):
            Lockfile(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    lock = Lockfile(path)
    lock.release()
    lock.release()


def test_readers_and_people_with_orders_need_no_lock(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    with Store.open(url) as daemon:
        daemon.migrate()
        daemon.own()
        with Store.open(url) as other, Store.open(url, read_only=True) as reader:
            other.record()
            assert reader.last_seq() == 0


def test_a_folder_that_is_not_there_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(StoreSick, match="cannot be locked"):
        Lockfile(tmp_path / "nowhere" / "state.db.lock")


def test_a_store_in_memory_has_nothing_to_lock() -> None:
    with Store.open(":memory:") as store:
        store.own()
