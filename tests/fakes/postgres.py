"""A real PostgreSQL server as a child process on a free loopback port, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import psycopg

_ROOTS = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt")


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, None when there is none."""
    found = shutil.which("initdb")
    if found and Path(found).resolve().with_name("postgres").exists():
        return Path(found).resolve().parent
    folders = [folder for root in _ROOTS for folder in sorted(Path(root).glob("*/bin"), reverse=True)]
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def as_user() -> dict[str, object]:
    """PostgreSQL refuses to run as root, so root starts it as `postgres`."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


class Server:
    """`url()` makes a fresh database and returns its address."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._count = 0

    def url(self) -> str:
        self._count += 1
        name = f"test_{self._count}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def connect(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=postgres dbname={name} connect_timeout=2", autocommit=True
        )


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Start a server whose binaries are in `folder`; it is stopped at the end."""
    home = Path(mkdtemp(prefix="fleetmend-pg-"))
    home.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")
    data = home / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **as_user()}
    initdb = [folder / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8"]
    subprocess.run([*initdb, "--locale=C.UTF-8"], check=True, **quiet)  # type: ignore[call-overload]  # likewise
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    local = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
    process = subprocess.Popen(  # type: ignore[call-overload]  # keywords that depend on who runs the test
        [folder / "postgres", "-D", data, "-p", str(port), *local], **quiet
    )
    try:
        running = Server(port)
        _await(running, process)
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def _await(running: Server, process: subprocess.Popen[bytes]) -> None:
    pause = threading.Event()
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            running.connect("postgres").close()
        except psycopg.OperationalError:
            pause.wait(0.05)
        else:
            return
    raise RuntimeError("postgres did not start")
