"""Faces read by connections of their own, whether the daemon lives or not, and never make a file."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.errors import StoreSick
from daemon.incidents.change import Change
from daemon.store import tables
from daemon.store.store import Store
from tests.fakes import rows
from tests.fakes.namespaces import namespace

DAEMON = """
import sys
from daemon.incidents.change import Change
from daemon.store.store import Store
from tests.fakes import rows
store = Store.open("sqlite:///" + sys.argv[1])
store.migrate()
store.own()
with store.write() as uow:
    uow.apply(Change(incident=rows.incident(), events=(rows.event(),)))
print("written", flush=True)
sys.stdin.read()
"""


def daemon(path: Path) -> subprocess.Popen[bytes]:
    """A process with the store open and one incident written."""
    started = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert started.stdout is not None
    assert started.stdout.readline() == b"written\n"
    return started


def reads(path: Path) -> bool:
    with Store.open(f"sqlite:///{path}", read_only=True) as store, store.read() as uow:
        return uow.incidents.get("po-1") is not None


def test_a_reader_sees_what_is_committed_while_the_daemon_lives_and_after_it_was_killed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.db"
    with daemon(path) as running:
        assert reads(path)
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert Path(f"{path}-wal").stat().st_size > 0
    assert reads(path)


def test_a_reader_recovers_a_log_whose_index_is_gone(tmp_path: Path) -> None:
    """As after a power cut or a copy: the write-ahead log is there, its shared index is not."""
    with daemon(tmp_path / "state.db") as running:
        running.send_signal(signal.SIGKILL)
        running.wait()
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("state.db", "state.db-wal"):
        shutil.copy(tmp_path / name, copy / name)
    assert reads(copy / "state.db")


def test_a_reader_works_after_a_clean_stop(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with Store.open(f"sqlite:///{path}") as store:
        store.migrate()
        with store.write() as uow:
            uow.apply(Change(incident=rows.incident()))
    assert not Path(f"{path}-wal").exists()
    assert reads(path)


def test_a_reader_that_may_not_write_reads_a_store_that_was_stopped(tmp_path: Path) -> None:
    """In a mount namespace where the folder is read-only."""
    with Store.open(f"sqlite:///{tmp_path / 'state.db'}") as store:
        store.migrate()
        store.record()
    program = (
        "import sys; from daemon.store.store import Store;"
        "print(Store.open('sqlite:///' + sys.argv[1] + '/state.db', read_only=True).last_seq())"
    )
    mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$2" -c "$3" "$1"'
    command = namespace("a read-only folder")
    done = subprocess.run(
        [*command, "sh", "-c", mount, "sh", str(tmp_path), sys.executable, program],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.returncode) == ("0\n", 0), done.stderr


def test_a_reader_makes_no_file_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(StoreSick, match="there is no"):
        Store.open(f"sqlite:///{tmp_path / 'state.db'}", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with Store.open(f"sqlite:///{path}") as store:
        store.migrate()
    with (
        Store.open(f"sqlite:///{path}", read_only=True) as reader,
        pytest.raises(StoreSick, match="read-only"),
    ):
        reader.record([rows.order()])


def test_a_reader_refuses_a_schema_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with Store.open(f"sqlite:///{path}") as store:
        store.migrate()
        with store._engine.begin() as connection:
            connection.execute(tables.revision.update().values(version_num="0000"))
    with pytest.raises(StoreSick, match="has schema 0000"):
        Store.open(f"sqlite:///{path}", read_only=True)


def test_an_address_with_signs_in_it_is_a_file_of_that_name(tmp_path: Path) -> None:
    path = tmp_path / "state 100%?#.db"
    url = f"sqlite:///{path}".replace("?", "%3F")
    with Store.open(url) as store:
        store.migrate()
    assert [found.suffix for found in tmp_path.iterdir()] == [".db"]
    Store.open(url, read_only=True).close()


def test_every_connection_syncs_fully_and_logs_ahead(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'state.db'}") as store:
        store.migrate()
        with store._engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
