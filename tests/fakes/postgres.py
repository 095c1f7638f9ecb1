"""A real PostgreSQL server as a child process on a free loopback port, in a folder of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
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

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self._process = process
        self._count = 0

    def fail(self) -> None:
        """End at once, without a checkpoint and without sending the standby what it has not got yet."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(10)

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
    with home() as here, running(folder, initialised(folder, here)) as started:
        yield started


@contextmanager
def home() -> Iterator[Path]:
    """A folder that servers may keep their data in; it is removed at the end."""
    here = _folder()
    try:
        yield here
    finally:
        shutil.rmtree(here, ignore_errors=True)


def _folder() -> Path:
    here = Path(mkdtemp(prefix="fleetmend-pg-"))
    here.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(here, "postgres", "postgres")
    return here


def initialised(folder: Path, here: Path) -> Path:
    """The data folder of an empty cluster below `here`; it is made once and copied from then on."""
    data = here / "data"
    subprocess.run(["/bin/cp", "-a", _template(folder), data], check=True)
    return data


@cache
def _template(folder: Path) -> Path:
    here = _folder()
    atexit.register(shutil.rmtree, here, ignore_errors=True)
    data = here / "data"
    initdb = [folder / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8"]
    subprocess.run([*initdb, "--locale=C.UTF-8"], check=True, **quietly())  # type: ignore[call-overload]  # likewise
    return data


def copied(folder: Path, source: Server, data: Path) -> Path:
    """A standby's data folder, streamed from a running server."""
    copy = [folder / "pg_basebackup", "-h", "127.0.0.1", "-p", str(source.port), "-U", "postgres", "-D", data]
    subprocess.run([*copy, "-R", "-X", "stream", "-c", "fast", "--no-sync"], check=True, **quietly())  # type: ignore[call-overload]  # likewise
    return data


def quietly() -> dict[str, object]:
    return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **as_user()}


@contextmanager
def running(folder: Path, data: Path, *options: str) -> Iterator[Server]:
    """A server over this data folder, on a free port. `options`: settings such as `wal_level=replica`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", *options)
    words = [word for setting in settings for word in ("-c", setting)]
    process = subprocess.Popen(  # type: ignore[call-overload]  # keywords that depend on who runs the test
        [folder / "postgres", "-D", data, "-p", str(port), *words], **quietly()
    )
    try:
        started = Server(port, process)
        _await(started, process)
        yield started
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGQUIT)  # its data is thrown away with it
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


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
