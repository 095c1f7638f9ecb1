"""A provider: packets are fetched from its endpoints; a third port has its status and what can be done to it.

What a person can do to it, all by `POST /control/fault`: `primary` and `secondary` (`ok`, `no-answer`, `refuse`, `error`),
`rate_limit_per_s` (0 is none), `expire_token`, `payload`, `packets_per_s`, `suspend`, `burst_s`.
"""

import threading
from collections import deque
from typing import Any

from demo import clock
from demo.programs.packets import PAYLOADS, packet
from demo.service import Service, main
from demo.settings import NEWCOMER
from demo.wire import Answer, Call

MODES = ("ok", "no-answer", "refuse", "error")


class Provider:
    """Packets become due with time; what nobody fetched waits in a bounded buffer."""

    def __init__(self, service: Service, name: str) -> None:
        self.service, self.name, self.given = service, name, service.stack.settings.provider
        self.usual_rate = self.given.newcomer_packets_per_s if name == NEWCOMER else self.given.packets_per_s
        self.lock = threading.Lock()
        self.seq, self.due, self.seen_at = 0, 0.0, clock.monotonic()
        self.buffer: deque[dict[str, Any]] = deque(maxlen=self.given.buffer)
        self.sent: deque[dict[str, Any]] = deque(maxlen=self.given.replay)
        self.modes = {"primary": "ok", "secondary": "ok"}
        self.rate, self.payload, self.suspended = self.usual_rate, "usual", list[str]()
        self.limit, self.tokens, self.filled_at = 0.0, 0.0, 0.0
        self.burst_until = 0.0
        self.token_file = service.stack.state / "providers" / f"{name}.token"

    def grow(self) -> None:
        """Packets that became due since the last look; the lock is held."""
        now, wall = clock.monotonic(), clock.now()
        self.due += (now - self.seen_at) * self.rate
        self.seen_at = now
        whole = min(int(self.due), self.given.buffer)
        self.due -= int(self.due)
        for _ in range(whole):
            self.seq += 1
            one = packet(self.name, self.seq, self.given.assets, wall, self.payload)
            if one["customer"] not in self.suspended:
                self.buffer.append(one)

    def token(self) -> str:
        return (
            self.token_file.read_text(encoding="utf-8").strip()
            if self.token_file.exists()
            else f"{self.name}-1"
        )

    def rotate(self, _: Call) -> Answer:
        """A new token for whoever has the client's secret; the demo's secret is that the port is on loopback."""
        token = f"{self.name}-{clock.now():.3f}"
        self.token_file.write_text(token, encoding="utf-8")
        return Answer(200, {"token": token})

    def status(self, _: Call) -> Answer:
        with self.lock:
            if self.modes["primary"] != "ok":
                state = "down"
            else:
                state = "degraded" if self.limit > 0 or clock.monotonic() < self.burst_until else "up"
        return Answer(200, {"state": state, "provider": self.name})

    def fault(self, call: Call) -> Answer:
        wanted = call.json()
        with self.lock:
            self.grow()
            for which in ("primary", "secondary"):
                if wanted.get(which, "ok") not in MODES:
                    raise ValueError(f"{which} is one of {', '.join(MODES)}")
                self.modes[which] = wanted.get(which, self.modes[which])
            if wanted.get("payload", "usual") not in PAYLOADS:
                raise ValueError(f"payload is one of {', '.join(PAYLOADS)}")
            self.payload = wanted.get("payload", self.payload)
            self.limit = float(wanted.get("rate_limit_per_s", self.limit))
            self.rate = float(wanted.get("packets_per_s") or self.rate)
            self.suspended = list(wanted.get("suspend", self.suspended))
            self.burst_until = clock.monotonic() + float(wanted.get("burst_s", 0))
        if wanted.get("expire_token"):
            self.token_file.write_text(f"{self.name}-expired-{clock.now():.3f}", encoding="utf-8")
        return Answer(200, {"ok": True})

    def heal(self, _: Call) -> Answer:
        with self.lock:
            self.grow()
            self.modes = {"primary": "ok", "secondary": "ok"}
            self.rate, self.payload, self.suspended = self.usual_rate, "usual", []
            self.limit = self.burst_until = 0.0
        return Answer(200, {"ok": True})

    def within_limit(self) -> bool:
        """A token bucket of one second; the lock is held."""
        if self.limit <= 0:
            return True
        now = clock.monotonic()
        self.tokens = min(max(1.0, self.limit / 2), self.tokens + (now - self.filled_at) * self.limit)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Endpoint:
    """One of the two doors packets are fetched from."""

    def __init__(self, provider: Provider, which: str) -> None:
        self.provider, self.which = provider, which

    def answer(self, call: Call) -> Answer:
        return self._out_of_order(call) or self._packets(call)

    def _out_of_order(self, call: Call) -> Answer | None:
        """What a caller gets instead of packets, by the state the provider was put into."""
        provider, mode = self.provider, self.provider.modes[self.which]
        if mode == "no-answer":
            provider.service.stopping.wait(provider.given.hold_s)
        if mode in {"no-answer", "refuse"}:
            return Answer(hang_up=True)
        if mode == "error" or clock.monotonic() < provider.burst_until:
            return Answer(500, {"error": "internal error"})
        if call.headers.get("authorization") != f"Bearer {provider.token()}":
            return Answer(401, {"error": "the token is not valid"})
        return None

    def _packets(self, call: Call) -> Answer:
        provider = self.provider
        with provider.lock:
            if not provider.within_limit():
                return Answer(429, {"error": "too many requests"})
            if call.path == "/v1/packets":
                return Answer(
                    200,
                    {
                        "packets": self._fetch(int(call.query.get("max", "60"))),
                        "suspended": provider.suspended,
                    },
                )
            if call.path == "/v1/replay":
                after = int(call.query["after"])
                return Answer(200, {"packets": [one for one in provider.sent if one["seq"] > after]})
        return Answer(404, {"error": f"no {call.path} here"})

    def _fetch(self, most: int) -> list[dict[str, Any]]:
        self.provider.grow()
        buffer = self.provider.buffer
        packets = [buffer.popleft() for _ in range(min(most, len(buffer)))]
        self.provider.sent.extend(packets)
        return packets


def build(service: Service, name: str) -> None:
    provider = Provider(service, name)
    doors = ["primary", "secondary"] if name == "navixy" else ["primary"]
    for which in doors:
        service.listen(service.stack.port(f"{name}-{which}"), Endpoint(provider, which).answer)
    service.route("GET", "/status", provider.status)
    service.route("POST", "/oauth/token", provider.rotate)
    service.route("POST", "/control/fault", provider.fault)
    service.route("POST", "/control/heal", provider.heal)
    service.listen(service.stack.port(f"provider-{name}"))


if __name__ == "__main__":
    main(build, "provider")
