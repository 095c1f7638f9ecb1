"""A world on loopback for a daemon under measurement: one page of metrics, and whatever it is asked to do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextlib.contextmanager
def served(metrics: Callable[[], bytes], asked: Callable[[str, bytes], bytes | None]) -> Iterator[int]:
    """Answer a GET with `metrics`, a POST with what `asked` (path, body) makes of it, else `{}`; the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply(metrics())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.reply(asked(self.path, body) or b"{}")

        def reply(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def watching(base: str) -> dict[str, Any]:
    """Configuration of a daemon that looks at the world at `base` each second: `bench_fault`, without a hold, by tier."""
    return {
        "autonomy": "auto",
        "pack": "none",
        "poll_interval": "1s",
        "telemetry": {"main": {"type": "scrape", "targets": [f"{base}/metrics"], "every": "1s"}},
        "detectors": {
            "bench": {
                "failure_mode": "storage_failure",
                "signal": {"gauge": {"of": "bench_fault", "by": ["tier"]}},
                "fire": {"above": 0.5, "for": "0s"},
                "clear": {"below": 0.5, "for": "1s"},
            }
        },
        "topology": {"shared_cause": "100%"},
    }
