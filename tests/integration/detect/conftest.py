"""A small exporter that counts by itself, and one real Prometheus that scrapes it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from daemon.clock import SystemClock

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: {job}
    static_configs: [{{targets: ["127.0.0.1:{exporter}"], labels: {{site: eu}}}}]
  - job_name: unrelated
    static_configs: [{{targets: ["127.0.0.1:{closed}"]}}]
"""
_READY_WITHIN = 30.0


@dataclass
class Exporter:
    """Serves whatever `text` says, and counts how often it was asked. `broken`: answers 500."""

    port: int = 0
    text: str = ""
    broken: bool = False
    asked: int = 0
    server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                exporter.asked += 1
                body = exporter.text.encode()
                self.send_response(500 if exporter.broken else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing on the test's output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/metrics"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def exporter() -> Iterator[Exporter]:
    served = Exporter()
    yield served
    served.close()


@pytest.fixture(scope="session")
def prometheus(exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base address of a Prometheus that scrapes the exporter every second as job `edge`."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not installed")
    folder: Path = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    (folder / "p.yml").write_text(CONFIG.format(job="edge", exporter=exporter.port, closed=free_port()))
    arguments = [
        f"--config.file={folder}/p.yml",
        f"--storage.tsdb.path={folder}/d",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, *arguments], stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _ready(url) or process.poll() is not None, _READY_WITHIN)
        assert process.poll() is None, (folder / "log").read_text()
        yield url
    finally:
        process.terminate()
        process.wait(10)


def wait_until(holds: Any, within: float) -> None:
    """Look every 50 ms until it holds. Fails the test when it does not within so many seconds."""
    clock, pause = SystemClock(), threading.Event()
    end = clock.monotonic() + within
    while not holds():
        assert clock.monotonic() < end, f"not within {within:.0f} s"
        pause.wait(0.05)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
