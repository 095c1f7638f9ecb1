"""The API front: takes customers' requests, limits rates, keeps addresses, and hands the work to whichever workers run."""

import json
import os
import threading
from collections import deque
from functools import partial
from typing import Any

from demo import clock
from demo.metrics import Registry
from demo.programs.front import ENDPOINTS, AddressCache, RateLimits, Ticket, WaitingRoom
from demo.service import Refused, Service, main
from demo.wire import Answer, Call, Peer, WireError

BOUNDS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0)  # the promises, 0.5 and 2, are edges
CODES = ("200", "404", "429", "500", "502", "503")


class ApiMetrics:
    def __init__(self, registry: Registry) -> None:
        self.requests = registry.counter(
            "telemetry_api_requests_total", "Requests answered.", "endpoint", "code"
        )
        self.errors = registry.counter(
            "telemetry_api_errors_total", "Requests answered with a 5xx.", "endpoint", "code"
        )
        self.limited = registry.counter(
            "telemetry_api_rate_limited_total", "Requests refused by a rate limit.", "endpoint"
        )
        self.duration = registry.histogram(
            "telemetry_api_request_duration_seconds", "Time of a request.", "endpoint", bounds=BOUNDS
        )
        self.depth = registry.gauge("telemetry_queue_depth", "Items that wait for the next stage.", "stage")
        for endpoint in ENDPOINTS:
            for code in CODES:
                self.requests.add(0, endpoint, code)
                if code.startswith("5"):
                    self.errors.add(0, endpoint, code)
            self.limited.add(0, endpoint)
            self.duration.touch(endpoint)
        self.depth.set(0, "api")


class Front:
    def __init__(self, service: Service) -> None:
        self.service, self.stack = service, service.stack
        self.given = service.stack.settings.api
        self.metrics = ApiMetrics(service.registry)
        self.room, self.cache = WaitingRoom(), AddressCache()
        self.limits = RateLimits(self.given.client_window_s)
        self.waits = {"live": self.given.wait_live_s, "history": self.given.wait_history_s}
        self.up: set[int] = set()
        self.parts: deque[tuple[float, float, float]] = deque(maxlen=60)  # seconds in storage, look-up, code
        self.switch_file = self.stack.state / "api" / "cache.json"
        self.address_file = self.stack.state / "api" / "addresses.json"
        if self.address_file.exists():
            self.cache.addresses = json.loads(self.address_file.read_text(encoding="utf-8"))

    # -- requests ------------------------------------------------------------------------------------------------

    def serve(self, endpoint: str, call: Call) -> Answer:
        began = clock.monotonic()
        client = call.headers.get("x-client", "anonymous")
        if self.limits.allows(client, began):
            ticket = Ticket(endpoint, call.path.rpartition("/")[2])
            self.room.add(ticket)
            ticket.given_up = not ticket.ended.wait(self.waits[endpoint])
            status, content = ticket.status, ticket.content
        else:
            self.metrics.limited.add(1, endpoint)
            status, content = 429, {"error": "slow down"}
        if status >= 500:
            self.metrics.errors.add(1, endpoint, str(status))
        self.metrics.requests.add(1, endpoint, str(status))
        self.metrics.duration.observe(clock.monotonic() - began, endpoint)
        return Answer(status, content if content is not None else {"error": "no worker was free in time"})

    def drive(self, number: int) -> None:
        """One thread a worker: while the worker answers, it gets the next request."""
        peer = Peer(self.stack.port(f"api-worker-{number}"), self.given.worker_timeout_s)
        while not self.service.stopping.is_set():
            if number not in self.up:
                self._look_for(number, peer)
                continue
            ticket = self.room.take(1.0)
            if ticket is None:
                self._look_for(number, peer)
                continue
            try:
                self._through(peer, ticket)
            except WireError:
                self.up.discard(number)
                self.room.put_back(ticket)

    def _look_for(self, number: int, peer: Peer) -> None:
        try:
            peer.get("/health")
            self.up.add(number)
        except WireError:
            self.up.discard(number)
            self.service.stopping.wait(self.given.retry_worker_s)

    def _through(self, peer: Peer, ticket: Ticket) -> None:
        known = self.cache.find(ticket.asset) if ticket.endpoint == "live" else None
        status, content = peer.get(
            f"/{ticket.endpoint}/{ticket.asset}", {"X-Address": known} if known else {}
        )
        if status == 200 and ticket.endpoint == "live":
            self.parts.append(tuple(content.pop("took_s")))
            if known is None:
                self.cache.keep(ticket.asset, content["address"])
        ticket.status, ticket.content = status, content
        ticket.ended.set()

    # -- what people order, and look at --------------------------------------------------------------------------

    def order_cache(self, args: dict[str, Any]) -> dict[str, Any]:
        on = args["on"]
        if not isinstance(on, bool):
            raise TypeError("on is true or false")
        if on == self.cache.on:
            raise Refused(f"the cache is already {'on' if on else 'off'}")
        self.switch_file.write_text(json.dumps({"on": on}), encoding="utf-8")
        self.look()
        return {"cache": "on" if on else "off"}

    def order_rate_limit(self, args: dict[str, Any]) -> dict[str, Any]:
        per_s = float(args["per_s"])
        if args["client"] == "heaviest":
            client = self.limits.limit_heaviest(per_s)
            if client is None and per_s > 0:
                raise Refused("no client has asked for anything")
        else:
            client = str(args["client"])
            self.limits.limit(client, per_s)
        return {"client": client, "rate_limits": dict(self.limits.limits)}

    def look(self) -> None:
        """Follow the file that says whether addresses are kept; store those that are."""
        on = (
            bool(json.loads(self.switch_file.read_text(encoding="utf-8"))["on"])
            if self.switch_file.exists()
            else True
        )
        if on != self.cache.on:
            self.cache.switch(on)
            self.service.effects.write("switch", "cache", args={"on": on})
        self.metrics.depth.set(len(self.room), "api")

    def save(self) -> None:
        fresh = self.address_file.with_suffix(".new")
        fresh.write_text(json.dumps(self.cache.addresses), encoding="utf-8")
        fresh.replace(self.address_file)

    def slow_backend(self) -> str:
        parts = list(self.parts)[-20:]
        if not parts:
            return "none"
        storage, _, code = (sum(column) / len(parts) for column in zip(*parts, strict=True))
        if max(storage, code) < self.given.slow_backend_s:
            return "none"
        return "storage" if storage >= code else "code"

    def health(self, _: Call) -> Answer:
        return Answer(200, {
            "status": "ok" if self.up else "no_workers", "workers": len(self.up), "cache": "on" if self.cache.on else "off",
            "cache_hit_share": self.cache.hit_share, "slow_backend": self.slow_backend(), "rate_limits": dict(self.limits.limits),
            "heaviest_client": self.limits.heaviest(), "waiting": len(self.room), "pid": os.getpid(),
        })  # fmt: skip


def build(service: Service, _: str) -> None:
    front = Front(service)
    front.look()
    service.stop_hooks.append(front.save)
    service.route("GET", "/health", front.health)
    for endpoint in ENDPOINTS:
        service.route_below("GET", f"/v1/{endpoint}/", partial(front.serve, endpoint))
    service.admin("/admin/cache", front.order_cache)
    service.admin("/admin/rate-limit", front.order_rate_limit)
    service.listen(service.stack.port("api"))
    service.loop("look", 0.3, front.look)
    service.loop("save", front.given.save_s, front.save)
    for number in range(front.given.max_workers):
        threading.Thread(target=front.drive, args=(number,), name=f"worker-{number}", daemon=True).start()


if __name__ == "__main__":
    main(build, "api")
