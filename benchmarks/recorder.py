"""Distinct alerts accepted durably, single POSTs on 32 connections, beside an empty endpoint of the same server."""

from __future__ import annotations

import itertools
import json
import signal
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from os import kill
from pathlib import Path

from benchmarks.alert import settings
from benchmarks.child import Running, child, daemon, free_port, wait_ready
from benchmarks.figure import Figure
from benchmarks.flip import World
from benchmarks.load import per_second
from benchmarks.served import served

CONNECTIONS = 32
SECONDS = 3.0
ROUNDS = 3
RATIO = 0.5


def figures() -> list[Figure]:
    """Both by turns, so that a busy machine disturbs both; then the daemon is killed and its rows are counted."""
    empties, takes, sent = [], [], 0
    number = itertools.count()
    world = World()
    with tempfile.TemporaryDirectory() as folder, served(world.metrics, world.asked) as port:
        empty_port = free_port()
        command = [sys.executable, "-m", "benchmarks.empty", str(empty_port)]
        with child(command, Path(folder) / "log") as empty, daemon(settings(port)) as running:
            wait_ready(f"http://127.0.0.1:{empty_port}/-/ready", empty, Path(folder) / "log")
            own_port = int(running.url.rpartition(":")[2])
            for _ in range(ROUNDS):
                empties.append(per_second(empty_port, "/empty", bodies(number), CONNECTIONS, SECONDS)[0])
                rate, good = per_second(own_port, "/api/v2/alerts", bodies(number), CONNECTIONS, SECONDS)
                takes.append(rate)
                sent += good
            kept = _kept_after_kill(running)
    ratio = statistics.median(takes) / statistics.median(empties)
    return [
        Figure(
            f"distinct alerts taken durably, single POSTs, {CONNECTIONS} connections",
            f"{statistics.median(takes):.0f}/s",
            f">= {RATIO:g} of an empty endpoint, none lost to kill -9",
            ratio >= RATIO and kept == sent,
            f"empty endpoint {statistics.median(empties):.0f}/s, ratio {ratio:.2f}; answered 200: {sent}, on disk: {kept}",
        )
    ]


def bodies(number: Iterator[int]) -> Iterator[bytes]:
    """One alert a body, never the same twice; mapped to nothing, so that no incident is opened."""
    for n in number:
        yield json.dumps(
            [{"labels": {"alertname": "Load", "instance": f"i{n}"}, "annotations": {"summary": "load"}}]
        ).encode()


def _kept_after_kill(running: Running) -> int:
    kill(running.pid, signal.SIGKILL)
    with closing(sqlite3.connect(running.folder / "state.db")) as database:
        (count,) = database.execute(
            "select count(distinct json_extract(doc, '$.fingerprint')) from alerts"
        ).fetchone()
    return int(count)
