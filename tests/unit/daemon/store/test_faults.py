"""A store that is full or sick says so as `StoreSick`, keeps nothing of the unit, and works again when mended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy.exc
from sqlalchemy import event

from daemon.errors import StoreError, StoreSick
from daemon.incidents.change import Change
from daemon.store.faults import ours
from daemon.store.store import Store
from tests.fakes import rows
from tests.fakes.namespaces import namespace


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{path}") as opened:
        opened.migrate()
        yield opened


def big(number: int) -> Change:
    return Change(events=(rows.event("x" * 100_000, incident=f"i-{number}"),))


def test_a_full_database_is_sick_keeps_what_it_had_and_works_again_with_room(path: Path) -> None:
    with Store.open(f"sqlite:///{path}") as store:
        store.migrate()
    with Store.open(f"sqlite:///{path}") as store:
        event.listen(store._engine, "connect", lambda made, _: made.execute("PRAGMA max_page_count = 150"))
        kept = 0

        def fill() -> None:
            nonlocal kept
            while True:
                with store.write() as uow:
                    uow.apply(Change(incident=rows.incident(f"i-{kept}")))
                    uow.apply(big(kept))
                kept += 1

        with pytest.raises(StoreSick, match="disk full"):
            fill()
        assert 0 < kept < 20
        with store.read() as uow:
            assert len(uow.incidents.open()) == kept
            assert len(uow.timeline.tail(0)) == kept
    with Store.open(f"sqlite:///{path}") as roomy:
        with roomy.write() as uow:
            uow.apply(big(kept))
        assert roomy.last_seq() == kept + 1


def test_a_really_full_filesystem_is_sick(tmp_path: Path) -> None:
    """In a user namespace of its own, on a small tmpfs."""
    program = """
import sys
from daemon.errors import StoreSick
from daemon.store.store import Store
from tests.fakes import rows
store = Store.open("sqlite:///" + sys.argv[1] + "/state.db")
store.migrate()
kept = 0
try:
    while kept < 100:
        with store.write() as uow:
            uow.timeline.append([rows.event("x" * 100_000)])
        kept += 1
except StoreSick as error:
    assert kept == store.last_seq(), (kept, store.last_seq())
    print("sick", error)
"""
    mount = 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" -c "$3" "$1"'
    command = [*namespace("a small filesystem"), "sh", "-c", mount, "sh"]
    done = subprocess.run(
        [*command, str(tmp_path), sys.executable, program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sick store disk full"), done.stdout


def test_a_disk_that_refuses_a_write_is_sick(path: Path) -> None:
    program = """
import resource, sys
from daemon.errors import StoreSick
from daemon.store.store import Store
from tests.fakes import rows
store = Store.open("sqlite:///" + sys.argv[1])
store.migrate()
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
try:
    for _ in range(100):
        with store.write() as uow:
            uow.timeline.append([rows.event("x" * 100_000)])
except StoreSick as error:
    print("sick", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sick store"), done.stdout


def test_a_file_that_is_no_database_is_sick(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 500)
    with Store.open(f"sqlite:///{path}") as store, pytest.raises(StoreSick, match="corrupt"):
        store.migrate()


def test_a_page_that_was_overwritten_is_sick(path: Path) -> None:
    with Store.open(f"sqlite:///{path}") as store:
        store.migrate()
        store.record([rows.order(args={"text": "x" * 3000}) for _ in range(300)])
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    with (
        Store.open(f"sqlite:///{path}") as store,
        pytest.raises(StoreSick, match="corrupt"),
        store.read() as uow,
    ):
        uow.inbox.new_orders(limit=1000)


def test_a_writer_that_is_kept_waiting_too_long_is_told_so(path: Path, store: Store) -> None:
    refused: list[str] = []

    def impatient() -> None:
        with Store.open(f"sqlite:///{path}") as other:
            event.listen(other._engine, "connect", lambda made, _: made.execute("PRAGMA busy_timeout = 20"))
            try:
                other.record([rows.order()])
            except StoreSick as error:
                refused.append(str(error))

    with store.write():
        thread = threading.Thread(target=impatient)
        thread.start()
        thread.join()
    assert refused == ["store locked too long: database is locked"]


def test_a_store_that_nobody_made_is_not_made_by_opening_it(path: Path) -> None:
    with Store.open(f"sqlite:///{path}") as store, pytest.raises(StoreSick, match="cannot be opened"):
        store.record([rows.order()])
    assert list(path.parent.iterdir()) == []


def test_a_server_that_does_not_answer_is_sick() -> None:
    with (
        Store.open("postgresql://nobody@127.0.0.1:1/none") as store,
        pytest.raises(StoreSick, match="unreachable"),
    ):
        store.last_seq()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(psycopg.errors.DiskFull("no space left"), "disk full", id="53100"),
        pytest.param(psycopg.errors.OutOfMemory("no memory"), "out of resources", id="class 53"),
        pytest.param(psycopg.errors.LockNotAvailable("lock timeout"), "locked too long", id="55P03"),
        pytest.param(psycopg.errors.IoError("read failed"), "I/O error", id="class 58"),
        pytest.param(psycopg.errors.DataCorrupted("bad page"), "corrupt", id="class XX"),
        pytest.param(psycopg.errors.AdminShutdown("terminating"), "unreachable", id="class 57"),
        pytest.param(psycopg.errors.QueryCanceled("timeout"), "too slow", id="57014 before its class"),
        pytest.param(psycopg.OperationalError("connection refused"), "unreachable", id="no state: no server"),
        pytest.param(psycopg.errors.UndefinedTable("relation x"), "failed", id="anything else"),
    ],
)
def test_errors_of_postgresql_get_a_reason(error: Any, reason: str) -> None:
    wrapped = sqlalchemy.exc.DBAPIError("INSERT secret", {"value": "secret"}, error)
    assert type(ours(wrapped)) is StoreSick
    message = str(ours(wrapped))
    assert message == f"store {reason}: {error}"
    assert "secret" not in message


@pytest.mark.parametrize("url", ["mysql://x/y", "no address at all"])
def test_an_address_nobody_can_use_is_refused(url: str) -> None:
    with pytest.raises(StoreSick, match="cannot be opened"):
        Store.open(url)


def test_a_folder_that_cannot_be_made_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Store.open(f"sqlite:///{tmp_path}/file/state.db") as store:
        with pytest.raises(StoreSick, match="cannot be made"):
            store.migrate()
        with pytest.raises(StoreSick, match="cannot be made"):
            store.own()


def test_a_value_that_is_refused_does_not_make_the_store_sick(store: Store) -> None:
    poison = rows.incident(severity=[])  # no engine takes a list there
    with pytest.raises(StoreError) as refused, store.write() as uow:
        uow.apply(Change(incident=poison))
    assert type(refused.value) is StoreError
    store.record([rows.order()])


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_store_whose_file_went_away_is_sick_and_not_written_to(tmp_path: Path, how: str) -> None:
    path = tmp_path / "state.db"
    with Store.open(f"sqlite:///{path}") as store:
        store.migrate()
        store.record([rows.order()])
        path.rename(tmp_path / "elsewhere.db")
        if how == "replaced":
            path.write_bytes(b"")
        with pytest.raises(StoreSick, match="deleted or replaced"):
            store.record([rows.order()])
