"""What Prometheus' rule engine takes for one alerting rule over as many series: the peer that `cycle` stands beside."""

from __future__ import annotations

import contextlib
import shutil
import statistics
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from benchmarks.child import child, free_port, wait_ready

LASTED = 'prometheus_rule_group_last_duration_seconds{rule_group="'
SETTLING, ASKED = 5.0, 8
"""Seconds until the first evaluations are over; how many later ones are looked at."""
RULE = "  - alert: High\n    expr: x > 0.05\n    for: 0s\n"


@dataclass(frozen=True, slots=True)
class Peer:
    """Median seconds of an evaluation, and resident megabytes after it."""

    seconds: float
    megabytes: float


def prometheus(series: int, value: float, every: int) -> Peer | None:
    """`series` gauges of this value, scraped and judged every `every` seconds. None where Prometheus is not installed."""
    program = shutil.which("prometheus")
    if program is None:
        return None
    text = "".join(f'x{{id="{number}"}} {value}\n' for number in range(series)).encode()
    with tempfile.TemporaryDirectory(prefix="fm-bench-") as name, _exporter(text) as target:
        folder, port = Path(name), free_port()
        pace = f"{{scrape_interval: {every}s, evaluation_interval: {every}s, scrape_timeout: {every}s}}"
        (folder / "rules.yml").write_text(f"groups:\n- name: g\n  rules:\n{RULE}", encoding="utf-8")
        (folder / "prometheus.yml").write_text(
            f"global: {pace}\nrule_files: [rules.yml]\n"
            f"scrape_configs: [{{job_name: t, static_configs: [{{targets: ['{target}']}}]}}]\n",
            encoding="utf-8",
        )
        command = [
            program,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with child(command, folder / "log") as process:
            wait_ready(f"http://127.0.0.1:{port}/-/ready", process, folder / "log")
            took = list(_evaluations(f"http://127.0.0.1:{port}/metrics", every))
            return Peer(statistics.median(took), megabytes(process.pid))


def megabytes(pid: int, name: str = "VmRSS") -> float:
    """Resident memory of a process; `VmHWM`: the most it has been."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    kilobytes = next(line for line in lines if line.startswith(f"{name}:")).split()[1]
    return int(kilobytes) * 1024 / 1e6


def _evaluations(url: str, every: int) -> Iterator[float]:
    """How long the last evaluation took, asked once in `every` seconds."""
    pause = threading.Event()
    pause.wait(SETTLING + every)
    for _ in range(ASKED):
        pause.wait(every)
        lines = requests.get(url, timeout=10).text.splitlines()
        yield next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(LASTED))


@contextlib.contextmanager
def _exporter(text: bytes) -> Iterator[str]:
    """Shows `text` to whoever asks; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
