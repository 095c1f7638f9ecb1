"""An API worker: one request at a time. It reads storage, looks the address up, and lets the deployed code word the answer."""

import fcntl
import os
import threading
from collections.abc import Callable
from typing import Any

from demo import clock
from demo.service import Service, main
from demo.wire import Answer, Call, Peer, WireError


class Worker:
    def __init__(self, service: Service, name: str) -> None:
        self.service, self.name = service, name
        self.given = service.stack.settings.api
        self.busy = threading.Lock()
        self.stores = {
            tier: Peer(service.stack.port(f"storage-writer-{tier}"), self.given.worker_timeout_s)
            for tier in ("hot", "warm")
        }
        self.code = service.stack.state / "api" / "render.py"
        self.loaded_at = 0.0
        self.newest: dict[tuple[str, str], tuple[float, Any]] = {}
        self.render: Callable[[dict[str, Any], str], dict[str, Any]] = lambda record, _: record
        self.geocoder = (service.stack.state / "api" / "geocoder.lock").open("w")

    def live(self, call: Call) -> Answer:
        with self.busy:
            began = clock.monotonic()
            status, content = self._read("hot", call)
            stored = clock.monotonic()
            if status != 200 or not content["records"]:
                return Answer(
                    404 if status == 200 else 502, {"error": content.get("error") or "no such asset"}
                )
            record = content["records"][0]
            address = call.headers.get("x-address") or self.address(record)
            looked_up = clock.monotonic()
            self.load()
            answer = self.render(record, address)
            took = (stored - began, looked_up - stored, clock.monotonic() - looked_up)
        return Answer(200, answer | {"took_s": took})

    def history(self, call: Call) -> Answer:
        with self.busy:
            status, content = self._read("warm", call)
            threading.Event().wait(0.01)
        if status != 200:
            return Answer(502, {"error": content["error"]})
        return Answer(200 if content["records"] else 404, {"records": content["records"][-5:]})

    def address(self, record: dict[str, Any]) -> str:
        """The address service answers one at a time, however many workers ask: its licence is this lock."""
        fcntl.flock(self.geocoder, fcntl.LOCK_EX)
        try:
            clock.pause(self.given.geocode_s)
        finally:
            fcntl.flock(self.geocoder, fcntl.LOCK_UN)
        return f"near {record.get('latitude')}, {record.get('longitude')}"

    def load(self) -> None:
        """The deployed code, anew when its file changed; what cannot be loaded leaves the code of before."""
        changed = self.code.stat().st_mtime
        if changed != self.loaded_at:
            self.loaded_at = changed
            names: dict[str, Any] = {}
            exec(
                compile(self.code.read_text(encoding="utf-8"), str(self.code), "exec"), names
            )  # the pipeline's own deployed file
            self.render = names["render"]

    def _read(self, tier: str, call: Call) -> tuple[int, Any]:
        """What the tier says; while it cannot be read, what it said a moment ago."""
        asset = call.path.rpartition("/")[2]
        try:
            status, content = self.stores[tier].get(f"/tiers/{tier}/read/{asset}")
        except WireError as error:
            status, content = 502, {"error": f"{tier}: {error}", "records": []}
        now = clock.monotonic()
        if status == 200:
            self.newest[tier, asset] = (now, content)
            return status, content
        at, kept = self.newest.get((tier, asset), (float("-inf"), None))
        return (200, kept) if now - at <= self.given.stale_s else (502, content)


def build(service: Service, name: str) -> None:
    worker = Worker(service, name)
    service.route(
        "GET", "/health", lambda _: Answer(200, {"status": "ok", "worker": name, "pid": os.getpid()})
    )
    service.route_below("GET", "/live/", worker.live)
    service.route_below("GET", "/history/", worker.history)
    service.listen(service.stack.port(f"api-worker-{name}"))


if __name__ == "__main__":
    main(build, "api-worker")
