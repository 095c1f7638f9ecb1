"""A dead-man's switch outside, as Healthchecks is one: it alarms when success stays away, or at once when told of a failure.

Source of what it takes: https://healthchecks.io/docs/http_api/ (success, `/start`, `/fail`, an unknown check is 404).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from remediations.ports import Request, Response

CHECK = "/ping/7d1b0e3c"


@dataclass
class DeadMan:
    """`period`, `grace`: seconds. `now`: its own clock."""

    now: Callable[[], float]
    period: float = 60.0
    grace: float = 120.0
    pings: list[tuple[float, str, str]] = field(default_factory=list)
    """(when, start | success | fail, the text sent along)."""
    lost: bool = False
    """The check was deleted."""

    def __call__(self, request: Request) -> Response:
        kind = {CHECK: "success", f"{CHECK}/start": "start", f"{CHECK}/fail": "fail"}.get(
            urlsplit(request.url).path
        )
        if self.lost or kind is None:
            return Response(404, {}, b"not found", 0.0)
        self.pings.append((self.now(), kind, (request.body or b"").decode()))
        return Response(200, {}, b"OK", 0.0)

    @property
    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.pings]

    def alarms_at(self) -> float | None:
        """When it raises the alarm if nothing more comes; None before the first ping."""
        if not self.pings:
            return None
        at, kind, _ = self.pings[-1]
        return {"fail": at, "start": at + self.grace}.get(kind, at + self.period + self.grace)


@contextmanager
def served(switch: DeadMan) -> Iterator[str]:
    """Serve it on a free port; its address."""

    class Call(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = switch(Request(self.command, self.path, dict(self.headers.items()), body))
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base's
            """Nothing: tests look at `pings`."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Call) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{CHECK}"
        finally:
            server.shutdown()
            thread.join()
