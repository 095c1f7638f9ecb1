"""A plant on loopback for tests of the real process: metrics with a fault to flip, admin calls, a strict pager, a receiver.

It keeps what really happened to it (`effects`), and calls back at the moments of a call that a crash is aimed at: when
it arrives and is not read yet, when it took effect and is not answered yet, when it was answered.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from daemon.clock import SystemClock
from remediations.ports import PortError, Request
from tests.fakes.pagerduty import ROUTING_KEY, FakePagerDuty
from tests.fakes.standard_webhook import SECRET, FakeReceiver


class Moment(StrEnum):
    """Of a call: nothing of it was read; it took effect; it was answered."""

    ARRIVED = "arrived"
    APPLIED = "applied"
    ANSWERED = "answered"


@dataclass(frozen=True)
class Effect:
    """One thing that really happened. `key`: the idempotency key it came with."""

    what: str
    key: str


@dataclass
class Plant:
    """`mends`: whether the fail-over removes the fault. `stuck`: paths whose answers are held back until `release`."""

    broken: bool = False
    mends: bool = True
    refuses: bool = False
    """Admin calls answer 500 and change nothing."""
    echoes: bool = False
    """Answers repeat the headers they were asked with, as a debugging proxy does."""
    active: str = "primary"
    health: dict[str, Any] = field(default_factory=lambda: {"replica_lag_s": 1})
    effects: list[Effect] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of every admin call."""
    extra_metrics: str = ""
    stuck: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    """Paths that do as they are told and answer only after `release`."""
    pager: FakePagerDuty = field(default_factory=lambda: FakePagerDuty({ROUTING_KEY}))
    pager_down: bool = False
    receiver: FakeReceiver = field(default_factory=lambda: FakeReceiver(SystemClock()))  # type: ignore[arg-type]  # it reads `now` only
    url: str = ""
    _at: dict[tuple[str, Moment], Callable[[], None]] = field(default_factory=dict)
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _released: threading.Event = field(default_factory=threading.Event)

    def at(self, path: str, moment: Moment, do: Callable[[], None]) -> None:
        """Call `do` once, the next time a call to `path` gets there."""
        with self._guard:
            self._at[path, moment] = do

    def release(self) -> None:
        """Answer what is stuck."""
        self.stuck.clear()
        self.silent.clear()
        self._released.set()

    def did(self, what: str) -> list[Effect]:
        with self._guard:
            return [effect for effect in self.effects if effect.what == what]

    # ------------------------------------------------------------------ served

    def serve(self, call: _Call) -> None:
        path = call.path.split("?", 1)[0]
        if self._reached(path, Moment.ARRIVED):
            call.close_connection = True
            return
        body = call.rfile.read(int(call.headers.get("Content-Length") or 0))
        with self._guard:
            self.asked.append(path)
        if path in self.stuck:
            self._released.wait(30)
        status, kind, answer = self._answer(call, path, body)
        if path in self.silent:
            self._released.wait(30)
        if self._reached(path, Moment.APPLIED):
            call.close_connection = True
            return
        call.send_response(status)
        call.send_header("Content-Type", kind)
        call.send_header("Content-Length", str(len(answer)))
        call.end_headers()
        call.wfile.write(answer)
        call.wfile.flush()
        self._reached(path, Moment.ANSWERED)

    def _answer(self, call: _Call, path: str, body: bytes) -> tuple[int, str, bytes]:
        if path in {"/metrics", "/slow"}:
            return 200, "text/plain; version=0.0.4", self._metrics().encode()
        if path == "/v2/enqueue":
            return self._paged(call, body)
        if path == "/hook":
            with self._guard:
                taken = self.receiver(_request(call, body))
            return taken.status, "application/json", taken.body
        if path == "/tiers/hot/health":
            state = {"active": self.active, "broken": self.broken, **self.health}
            return 200, "application/json", json.dumps(state).encode()
        if call.command == "POST" and path.startswith("/tiers/hot/"):
            return self._admin(call, path.rsplit("/", 1)[1])
        return 404, "application/json", json.dumps(self._echo(call)).encode()

    def _echo(self, call: _Call) -> dict[str, Any]:
        return {"asked": call.path, "headers": dict(call.headers.items())} if self.echoes else {}

    def _metrics(self) -> str:
        level = 1 if self.broken else 0
        return f'# TYPE plant_fault gauge\nplant_fault{{tier="hot"}} {level}\n{self.extra_metrics}'

    def _paged(self, call: _Call, body: bytes) -> tuple[int, str, bytes]:
        if self.pager_down:
            return 503, "application/json", b'{"status": "down"}'
        with self._guard:
            try:
                taken = self.pager(_request(call, body))
            except PortError as error:
                return 500, "text/plain", str(error).encode()
        return taken.status, "application/json", taken.body

    def _admin(self, call: _Call, what: str) -> tuple[int, str, bytes]:
        with self._guard:
            self.headers.append(dict(call.headers.items()))
            if self.refuses:
                return 500, "application/json", b'{"done": false, "why": "refused"}'
            self.effects.append(Effect(what, call.headers.get("Idempotency-Key", "")))
            if what == "failover":
                self.active = "replica"
            if what == "failback":
                self.active = "primary"
            if self.mends and what != "failback":
                self.broken = False
        said = {"done": True, "active": self.active, **self._echo(call)}
        return 200, "application/json", json.dumps(said).encode()

    def _reached(self, path: str, moment: Moment) -> bool:
        with self._guard:
            do = self._at.pop((path, moment), None)
        if do is not None:
            do()
        return do is not None


def _request(call: _Call, body: bytes) -> Request:
    return Request(call.command, call.path, dict(call.headers.items()), body)


class _Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        plant: Plant = self.server.plant  # type: ignore[attr-defined]  # put there by `running`
        plant.serve(self)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base's
        """Nothing: tests look at `asked`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that was killed breaks its connection; that is what is tested."""


@contextmanager
def running(plant: Plant) -> Iterator[Plant]:
    """Serve `plant` on a free port."""
    with _Server(("127.0.0.1", 0), _Call) as server:
        server.plant = plant  # type: ignore[attr-defined]  # read by `_Call`
        plant.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield plant
        finally:
            plant.release()
            server.shutdown()
            thread.join()


HOOK_SECRET = SECRET
