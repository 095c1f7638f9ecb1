"""A small exporter that counts by itself, and a real Prometheus and a real VictoriaMetrics that scrape it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.fakes.servers import free_port, victoria_metrics
from tests.fakes.servers import prometheus as a_prometheus

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: {job}
    static_configs: [{{targets: ["127.0.0.1:{exporter}"], labels: {{site: eu}}}}]
  - job_name: unrelated
    static_configs: [{{targets: ["127.0.0.1:{closed}"]}}]
"""


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


@pytest.fixture(scope="session")
def exporter() -> Iterator[Exporter]:
    served = Exporter()
    yield served
    served.close()


@pytest.fixture(scope="session")
def prometheus(exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base address of a Prometheus that scrapes the exporter every second as job `edge`."""
    folder = tmp_path_factory.mktemp("prometheus")
    with a_prometheus(folder, config=scraping(exporter)) as url:
        yield url


@pytest.fixture(scope="session")
def victoria(exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base address of a VictoriaMetrics that scrapes the same in the same way."""
    folder = tmp_path_factory.mktemp("victoria")
    (folder / "scrape.yml").write_text(scraping(exporter))
    with victoria_metrics(folder, f"-promscrape.config={folder}/scrape.yml") as url:
        yield url


def scraping(exporter: Exporter) -> str:
    return CONFIG.format(job="edge", exporter=exporter.port, closed=free_port())


@pytest.fixture(params=["prometheus", "victoria"])
def served(request: pytest.FixtureRequest) -> str:
    """Base address of each of the two, one after the other."""
    return str(request.getfixturevalue(request.param))
