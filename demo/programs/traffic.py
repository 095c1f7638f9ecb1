"""Customers: they ask the API for live positions and histories at a steady rate; one of them can become a crowd."""

import threading

from demo import clock
from demo.service import Service, main
from demo.settings import PROVIDERS
from demo.wire import Answer, Call, Peer, WireError

CLIENTS = ("acme", "globex", "initech")


class Traffic:
    def __init__(self, service: Service) -> None:
        self.service, self.given = service, service.stack.settings.traffic
        self.bulk = threading.Event()
        self.assets = [f"{PROVIDERS[number % 3]}-{number // 3:03d}" for number in range(self.given.assets)]

    def crowd(
        self, client: str, endpoint: str, per_s: float, threads: int, until: threading.Event | None = None
    ) -> None:
        """Threads that share a rate; who is late asks later, so a slow API is asked no faster."""
        for number in range(threads):
            name = client or CLIENTS[number % len(CLIENTS)]
            args = (number, name, endpoint, threads / per_s, until)
            threading.Thread(
                target=self._customer, args=args, name=f"{endpoint}-{number}", daemon=True
            ).start()

    def _customer(
        self, number: int, client: str, endpoint: str, every: float, until: threading.Event | None
    ) -> None:
        peer = Peer(self.service.stack.port("api"), self.given.timeout_s)
        due = clock.monotonic() + every * (number % 16) / 16
        turn = number
        while not self.service.stopping.is_set() and (until is None or until.is_set()):
            clock.pause(due - clock.monotonic())
            due = max(due + every, clock.monotonic())
            turn += 7
            try:
                peer.get(f"/v1/{endpoint}/{self.assets[turn % len(self.assets)]}", {"X-Client": client})
            except WireError:
                continue
        peer.close()

    def fault(self, call: Call) -> Answer:
        """`{"bulk": true}`: the heaviest client starts a bulk export through the live endpoint; false ends it."""
        if not call.json()["bulk"]:
            self.bulk.clear()
        elif not self.bulk.is_set():
            self.bulk.set()
            self.crowd("bulk-export", "live", self.given.bulk_per_s, self.given.bulk_threads, self.bulk)
        return Answer(200, {"bulk": self.bulk.is_set()})


def build(service: Service, _: str) -> None:
    traffic = Traffic(service)
    service.route("GET", "/health", lambda _: Answer(200, {"status": "ok", "bulk": traffic.bulk.is_set()}))
    service.route("POST", "/control/fault", traffic.fault)
    service.listen(service.stack.port("traffic"))
    traffic.crowd("", "live", traffic.given.live_per_s, traffic.given.live_threads)
    traffic.crowd("", "history", traffic.given.history_per_s, traffic.given.history_threads)


if __name__ == "__main__":
    main(build, "traffic")
