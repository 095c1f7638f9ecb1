"""The console script as a process: exit codes, streams, and what it knows of a daemon that lives or was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from daemon.cli import alive
from daemon.incidents.records import OrderState
from daemon.store.store import Store
from tests.fakes.stories import HOT, NOW, record

pytestmark = pytest.mark.live

SCRIPT = [sys.executable, "-c", "import sys; from daemon.cli.main import main; sys.exit(main())"]
HOLDER = """
import sys, time
from daemon.store.store import Store
store = Store.open(sys.argv[1])
store.own()
print("owned", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    with Store.open(url) as store:
        store.migrate()
        record(store)
    return url


@pytest.fixture
def config(tmp_path: Path, store_url: str) -> Path:
    file = tmp_path / "fleetmend.yaml"
    file.write_text(f'version: 1\npack: none\nstate: "{store_url}"\nlisten: 127.0.0.1:1\n', encoding="utf-8")
    return file


def fleetmend(*arguments: str | Path, cwd: Path, **options: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLEETMEND_")}
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [*SCRIPT, *(str(argument) for argument in arguments)],
        cwd=cwd,
        env={**clean, "PYTHONPATH": root, **options},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def holder(url: str) -> subprocess.Popen[str]:
    """A process that owns the store, as a daemon does."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "owned\n"
    return child


def test_status_of_a_dead_daemon_is_no_with_json_alone_on_stdout(tmp_path: Path, config: Path) -> None:
    said = fleetmend("status", "--config", config, "--json", cwd=tmp_path)
    assert said.returncode == 1
    assert json.loads(said.stdout)["incidents"] == {"open": 1, "worst": "critical"}
    assert said.stderr.startswith("fleetmend: the daemon is not running; this is the store as of ")


def test_good_no_and_usage_are_0_1_and_2(tmp_path: Path, config: Path) -> None:
    codes = {
        fleetmend("incident", HOT, "-c", config, cwd=tmp_path).returncode: "good",
        fleetmend("incident", "po-nobody", "-c", config, cwd=tmp_path).returncode: "no",
        fleetmend("incident", "-c", config, cwd=tmp_path).returncode: "usage",
    }
    assert codes == {0: "good", 1: "no", 2: "usage"}


def test_the_version_is_answered_from_an_empty_folder(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    said = fleetmend("--version", cwd=empty)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("fleetmend ")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, config: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        said = subprocess.run(
            [*SCRIPT, "incident", HOT, "-c", str(config), "--json"],
            cwd=Path(__file__).parents[2],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(write)
    assert said.returncode == 0
    assert "Traceback" not in said.stderr
    assert "BrokenPipe" not in said.stderr


def test_nothing_heavy_is_imported_before_it_is_needed(tmp_path: Path) -> None:
    look = (
        "import sys; import daemon.cli.main;"
        "print(sorted({'sqlalchemy', 'numpy', 'requests', 'fastapi', 'pydantic', 'rich', 'jinja2'} & sys.modules.keys()))"
    )
    said = subprocess.run(
        [sys.executable, "-c", look],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said.stdout.strip() in {"[]", "['pydantic']"}


def test_a_daemon_is_seen_alive_by_its_lock_and_dead_after_kill_9(store_url: str) -> None:
    assert not alive.runs(store_url, None, NOW), "nobody ever owned it"
    child = holder(store_url)
    try:
        assert alive.runs(store_url, None, NOW)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        assert not alive.runs(store_url, None, NOW), "the lock file stays, the lock does not"
    finally:
        child.kill()
        child.communicate()


def test_looking_whether_a_daemon_lives_never_keeps_one_from_starting(store_url: str) -> None:
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            alive.runs(store_url, None, NOW)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(50):
            with Store.open(store_url) as store:
                store.own()
    finally:
        stop.set()
        looker.join()


def test_an_order_waits_for_the_loops_answer_while_a_daemon_lives(
    tmp_path: Path, config: Path, store_url: str
) -> None:
    child = holder(store_url)
    settled: list[int] = []

    def loop() -> None:
        with Store.open(store_url) as store:
            while not settled:
                with store.write() as uow:
                    for order in uow.inbox.new_orders():
                        uow.inbox.settle_order(order.id, OrderState.REFUSED, "nothing is proposed")
                        settled.append(order.id)
                threading.Event().wait(0.05)

    answering = threading.Thread(target=loop)
    answering.start()
    try:
        said = fleetmend("approve", HOT, "--config", config, cwd=tmp_path)
    finally:
        settled.append(0)
        answering.join()
        child.kill()
        child.communicate()
    assert said.returncode == 1
    assert "refused: nothing is proposed" in said.stderr
    assert "not running" not in said.stderr
