"""A source that lets in only who shows a token and names its tenant, and repeats to everybody else what they showed.

It answers the query API with one gauge, and `/metrics` with the same.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from daemon.clock import SystemClock


@dataclass
class Guarded:
    """`token` of the bearer, `tenant` as Mimir asks for it; `value` of the gauge `guarded_fault{tier="hot"}`."""

    token: str
    tenant: str
    value: float = 0.0
    url: str = ""
    refused: int = 0
    let_in: int = 0
    _clock: SystemClock = field(default_factory=SystemClock)

    def answer(self, call: BaseHTTPRequestHandler) -> tuple[int, str]:
        shown = call.headers.get("Authorization"), call.headers.get("X-Scope-OrgID")
        if shown != (f"Bearer {self.token}", self.tenant):
            self.refused += 1
            error = f"nobody is known by {shown}"
            return 401, json.dumps({"status": "error", "errorType": "unauthorized", "error": error})
        self.let_in += 1
        if call.path.startswith("/metrics"):
            return 200, f'guarded_fault{{tier="hot"}} {self.value}\n'
        now = round(self._clock.now(), 3)
        target = {"job": "guarded", "instance": "a:1"}
        series = [
            {"metric": {"__name__": "up", **target}, "values": [[now, "1"]]},
            {
                "metric": {"__name__": "guarded_fault", "tier": "hot", **target},
                "values": [[now, str(self.value)]],
            },
        ]
        return 200, json.dumps({"status": "success", "data": {"resultType": "matrix", "result": series}})


@contextmanager
def guarding(guarded: Guarded) -> Iterator[Guarded]:
    """Serve it on a free port."""

    class Call(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = guarded.answer(self)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base's
            """Nothing on the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Call) as server:
        guarded.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield guarded
        finally:
            server.shutdown()
            thread.join()
