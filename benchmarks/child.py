"""The real daemon as a child process, configured for one measurement."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

UP_WITHIN = 60.0
DOWN_WITHIN = 40.0


@dataclass(frozen=True, slots=True)
class Running:
    """`url`: where it listens; `folder`: its store (`state.db`) and log (`log`)."""

    url: str
    folder: Path
    pid: int


@contextlib.contextmanager
def daemon(settings: Mapping[str, Any], program: Sequence[str] = ()) -> Iterator[Running]:
    """`fleetmend run` with these settings, on a free port and a store of its own. `program`: what to start in its place."""
    with tempfile.TemporaryDirectory(prefix="fm-bench-") as name:
        folder = Path(name)
        port = free_port()
        whole = {
            "version": 1,
            "state": f"sqlite:///{folder}/state.db",
            "listen": f"127.0.0.1:{port}",
            "vars": {"folder": str(folder)},
            **settings,
        }
        file = folder / "bench.yaml"
        file.write_text(json.dumps(whole), encoding="utf-8")
        command = [*(program or [str(script())]), "run", "--config", str(file)]
        with child(command, folder / "log") as process:
            url = f"http://127.0.0.1:{port}"
            wait_ready(f"{url}/-/ready", process, folder / "log")
            yield Running(url, folder, process.pid)


def script() -> Path:
    """The console script beside this Python."""
    return Path(sys.executable).with_name("fleetmend")


def free_port() -> int:
    """A port nobody has now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def child(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, ended by TERM and at last by KILL."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLEETMEND_")}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(DOWN_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it answers 200. Raises `RuntimeError` with the end of its log."""
    pause = threading.Event()
    for _ in range(int(UP_WITHIN / 0.05)):
        with contextlib.suppress(requests.RequestException):
            if requests.get(url, timeout=2).status_code == requests.codes.ok:
                return
        if process.poll() is not None:
            break
        pause.wait(0.05)
    raise RuntimeError(f"{url} does not answer 200:\n{log.read_text(errors='replace')[-2000:]}")
