"""Real servers of the query API as children of the test, on free loopback ports, each in a folder of its own.

A test that asks for one that is not installed is skipped by its name.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.clock import SystemClock

_READY_WITHIN = 30.0


def program(name: str) -> str:
    """Its path; the test is skipped when there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(holds: Callable[[], object], within: float) -> None:
    """Look every 50 ms until it holds. Fails the test when it does not within so many seconds."""
    clock, pause = SystemClock(), threading.Event()
    end = clock.monotonic() + within
    while not holds():
        assert clock.monotonic() < end, f"not within {within:.0f} s"
        pause.wait(0.05)


def blocks_from(exposition: Path, data: Path) -> None:
    """Fill a Prometheus's folder with the samples of an OpenMetrics file."""
    made = [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(exposition), str(data)]
    subprocess.run(made, check=True, capture_output=True)


@contextmanager
def prometheus(
    folder: Path, *flags: str, config: str = "global: {}\n", scheme: str = "http"
) -> Iterator[str]:
    """Address of a Prometheus whose samples lie in `folder`/data. With `https` it is ready once it listens."""
    port = free_port()
    (folder / "p.yml").write_text(config)
    command = [
        program("prometheus"),
        f"--config.file={folder}/p.yml",
        f"--storage.tsdb.path={folder}/data",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    ]
    with _running(command, folder, f"{scheme}://127.0.0.1:{port}", "/-/ready") as url:
        yield url


@contextmanager
def victoria_metrics(folder: Path, *flags: str) -> Iterator[str]:
    """Address of a VictoriaMetrics with the defaults of its makers."""
    port = free_port()
    command = [
        program("victoria-metrics"),
        f"-storageDataPath={folder}/data",
        "-retentionPeriod=10y",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-loggerLevel=WARN",
        *flags,
    ]
    with _running(command, folder, f"http://127.0.0.1:{port}", "/health") as url:
        yield url


@contextmanager
def alertmanager(folder: Path) -> Iterator[str]:
    """Address of an Alertmanager that tells nobody."""
    port = free_port()
    (folder / "a.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    command = [
        program("prometheus-alertmanager"),
        f"--config.file={folder}/a.yml",
        f"--storage.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _running(command, folder, f"http://127.0.0.1:{port}", "/-/ready") as url:
        yield url


def imported(url: str, exposition: str) -> None:
    """Hand a VictoriaMetrics samples in the text format, whose times are milliseconds, and make them visible."""
    body = urllib.request.Request(f"{url}/api/v1/import/prometheus", exposition.encode())
    with urllib.request.urlopen(body, timeout=10) as answer:
        assert answer.status == 204, answer.status
    flushed(url)


def flushed(url: str) -> None:
    """Make what a VictoriaMetrics took in visible now, and not within ten seconds; others need no telling."""
    with (
        contextlib.suppress(urllib.error.HTTPError),
        urllib.request.urlopen(f"{url}/internal/force_flush", timeout=10),
    ):
        pass


@contextmanager
def _running(command: Sequence[str], folder: Path, url: str, ready: str) -> Iterator[str]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: _answers(f"{url}{ready}") or process.poll() is not None, _READY_WITHIN)
        assert process.poll() is None, (folder / "log").read_text()
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _answers(address: str) -> bool:
    """Whether it says that it is ready. One that asks who we are is, as is one that wants our certificate first."""
    anybody = ssl._create_unverified_context()  # whether it is there, not who it is
    try:
        with urllib.request.urlopen(address, timeout=1, context=anybody) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == 401
    except (ssl.SSLError, urllib.error.URLError, OSError) as error:
        return "certificate" in str(error).lower()
