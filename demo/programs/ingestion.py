"""An ingestion consumer: polls its provider, parses, hands packets on to transformation. Each provider has its own."""

import os
import threading
import tomllib
from collections import Counter as Tally
from collections import deque
from dataclasses import dataclass, fields
from typing import Any

from demo import clock, versions
from demo.programs.breaker import Breaker
from demo.programs.ingestion_metrics import IngestionMetrics
from demo.programs.packets import customers
from demo.service import Refused, Service, main
from demo.wire import Answer, Call, NoAnswer, NoConnection, Peer, WireError

REASONS = {401: "auth", 403: "auth", 429: "rate_limited"}
RECENT_S = 2.0  # before the newest attempt: the attempts from which the dominant error is named


@dataclass(frozen=True, slots=True)
class ConsumerConfig:
    """One version of `ingestion.toml`."""

    path: str
    batch: int


def load_config(text: str) -> ConsumerConfig:
    """Raises ValueError for a key that is missing or unknown."""
    content = tomllib.loads(text)
    wrong = set(content) ^ {entry.name for entry in fields(ConsumerConfig)}
    if wrong:
        raise ValueError(f"missing or unknown: {', '.join(sorted(wrong))}")
    return ConsumerConfig(**content)


def parse(packet: dict[str, Any]) -> dict[str, Any]:
    """What transformation gets; raises KeyError or TypeError for a packet without its envelope."""
    if not isinstance(packet["data"], dict):
        raise TypeError("data is no object")
    return {key: packet[key] for key in ("seq", "asset", "customer", "at", "data")}


class Consumer:
    """State of one consumer. The poll thread changes it; admin calls do under the lock."""

    def __init__(self, service: Service, provider: str) -> None:
        self.service, self.provider = service, provider
        self.given, self.stack = service.stack.settings.ingestion, service.stack
        self.metrics = IngestionMetrics(service.registry, provider, customers(provider))
        self.lock = threading.Lock()
        self.endpoints = ["primary", "secondary"] if provider == "navixy" else ["primary"]
        self.endpoint = "primary"
        self.breakers = {name: Breaker(probe_s=self.given.half_open_s) for name in self.endpoints}
        self.peers = {
            name: Peer(self.stack.port(f"{provider}-{name}"), self.given.timeout_s) for name in self.endpoints
        }
        self.factor, self.polled_at = 1.0, 0.0
        self.token_file = self.stack.state / "credentials" / f"{provider}.token"
        self.token = (
            self.token_file.read_text(encoding="utf-8") if self.token_file.exists() else f"{provider}-1"
        )
        self.expired = False
        self.recent: deque[tuple[float, str]] = deque(maxlen=100)
        self.out: deque[dict[str, Any]] = deque()
        self.seen: deque[int] = deque(maxlen=self.stack.settings.provider.replay)
        self.last_packet_at = clock.monotonic()
        self.customer_at: dict[str, float] = {}
        self.config: ConsumerConfig | None = None
        self.version = self.problem = ""
        self.handover = Peer(self.stack.port("transformation"), 2.0)

    # -- configuration -------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Follow the config link; a version that cannot be read leaves the one in use."""
        version = versions.current(self.stack.ingestion_config)
        if version == self.version:
            return
        self.version = version
        try:
            self.config = load_config(
                (self.stack.ingestion_config / version / "ingestion.toml").read_text(encoding="utf-8")
            )
            self.problem = ""
        except (ValueError, OSError) as error:
            self.problem = f"config {version} refused: {error}"
            print(self.problem, flush=True)
        self.service.effects.write(
            "switch", "ingestion config", args={"version": version}, result=self.problem or "in use"
        )

    # -- polling -------------------------------------------------------------------------------------------------

    def poll(self) -> None:
        now = clock.monotonic()
        with self.lock:
            config, name = self.config, self.endpoint
            breaker, peer, token = self.breakers[name], self.peers[name], self.token
            idle = config is None or len(self.out) >= self.given.queue
            if (
                idle
                or now - self.polled_at < self.given.poll_s / self.factor - 0.01
                or not breaker.allows(now)
            ):
                return
            self.polled_at = now
            self.breakers[name] = breaker.attempted(now)
        assert config is not None
        reason, content = self._attempt(peer, f"{config.path}?max={config.batch}", token)
        self.metrics.requests.add(1, self.provider)
        with self.lock:
            self.recent.append((now, reason))
            self.expired = reason == "auth" if reason in {"", "auth"} else self.expired
            self._breaker(name, self.breakers[name].ended(ok=not reason))
        if reason:
            self.metrics.errors.add(1, self.provider, reason)
        else:
            self.metrics.suspend(content["suspended"])
            self._take(content["packets"])

    def _attempt(self, peer: Peer, path: str, token: str) -> tuple[str, dict[str, Any]]:
        """The reason of a failure, or nothing and the content."""
        try:
            status, content = peer.get(path, {"Authorization": f"Bearer {token}"})
        except NoAnswer:
            return "timeout", {}
        except NoConnection:
            return "network", {}
        return ("", content) if status == 200 else (REASONS.get(status, "server_error"), {})

    def _take(self, packets: list[dict[str, Any]]) -> None:
        now, wall = clock.monotonic(), clock.now()
        for packet in packets:
            customer = str(packet.get("customer", ""))
            self.metrics.received.add(1, self.provider, customer)
            try:
                parsed = parse(packet)
            except (KeyError, TypeError):
                self.metrics.failed.add(1, self.provider, customer)
                continue
            self.metrics.parsed.add(1, self.provider, customer)
            self.metrics.parse_duration.observe(clock.monotonic() - now, self.provider)
            self.customer_at[customer] = now
            self.seen.append(parsed["seq"])
            self.out.append(parsed | {"received_at": wall})
        if packets:
            self.last_packet_at = now

    def send(self) -> None:
        """Hand on what was parsed; what transformation does not take stays here."""
        now = clock.monotonic()
        for customer in self.metrics.customers:
            self.metrics.connected.set(
                now - self.customer_at.get(customer, -1e9) < self.given.connected_for_s,
                self.provider,
                customer,
            )
        self.metrics.depth.set(len(self.out), f"ingestion-{self.provider}")
        batch = [self.out[number] for number in range(min(len(self.out), 200))]
        if not batch:
            return
        try:
            status, _ = self.handover.post("/packets", {"provider": self.provider, "packets": batch})
        except WireError:
            return
        if status == 200:
            for _ in batch:
                self.out.popleft()

    # -- what people order ---------------------------------------------------------------------------------------

    def order_breaker(self, args: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            name = args.get("endpoint") or self._meant()
            breaker = self.breakers[name].told(args["state"])
            if breaker.state == self.breakers[name].state:
                raise Refused(f"the breaker of {name} is already {breaker.state}")
            self.breakers[name] = breaker
        return {"breaker": breaker.state, "endpoint": name}

    def _meant(self) -> str:
        """The endpoint in use; where its breaker is closed and another's is not, that other. The lock is held."""
        if self.breakers[self.endpoint].state != "closed":
            return self.endpoint
        return next((name for name, one in self.breakers.items() if one.state != "closed"), self.endpoint)

    def order_endpoint(self, args: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            use = args["use"]
            if use not in self.endpoints:
                raise Refused(f"{self.provider} has no {use} endpoint")
            if use == self.endpoint:
                raise Refused(f"{use} is already in use")
            self.endpoint = use
            self.recent.clear()
            self.breakers[use] = self.breakers[use].retried()
        self.service.effects.write("switch", "endpoint", args={"use": use})
        return {"endpoint": use}

    def order_rate(self, args: dict[str, Any]) -> dict[str, Any]:
        factor = float(args["factor"])
        if not 0.01 <= factor <= 1:
            raise ValueError("factor is between 0.01 and 1")
        with self.lock:
            self.factor = factor
            self.breakers[self.endpoint] = self.breakers[self.endpoint].retried()
        return {"rate_factor": factor}

    def order_rotation(self, _: dict[str, Any]) -> dict[str, Any]:
        """A new token from the provider; the token itself is answered and logged nowhere."""
        try:
            status, content = Peer(self.stack.port(f"provider-{self.provider}"), 2.0).post("/oauth/token", {})
        except WireError as error:
            raise Refused(f"the provider gave no token: {error}") from error
        if status != 200:
            raise Refused(f"the provider answered {status}")
        with self.lock:
            self.token, self.expired = content["token"], False
            self.token_file.write_text(self.token, encoding="utf-8")
            self.recent.clear()
            self.breakers[self.endpoint] = self.breakers[self.endpoint].retried()
        self.service.effects.write("switch", "credentials")
        return {"credentials": "valid"}

    def order_recovery(self, _: dict[str, Any]) -> dict[str, Any]:
        """Ask again for what the provider sent since the oldest packet known here; those that came are not taken twice."""
        with self.lock:
            peer, token, seen = self.peers[self.endpoint], self.token, set(self.seen)
        after = min(seen, default=0)
        reason, content = self._attempt(Peer(peer.address[1], 2.0), f"/v1/replay?after={after}", token)
        if reason:
            raise Refused(f"the provider did not answer: {reason}")
        missing = [
            packet
            for packet in content["packets"]
            if packet["seq"] not in seen and packet["seq"] not in self.seen
        ]
        self._take(missing)
        return {"recovered": len(missing)}

    def health(self, _: Call) -> Answer:
        with self.lock:
            recent = [reason for at, reason in self.recent if at >= self.recent[-1][0] - RECENT_S]
            bad = [reason for reason in recent if reason]
            dominant = Tally(bad).most_common(1)[0][0] if len(bad) * 2 > len(recent) else "none"
            status = "bad_config" if self.config is None else "ok" if dominant == "none" else "failing"
            return Answer(200, {
                "status": status, "problem": self.problem, "provider": self.provider, "breaker": self.breakers[self.endpoint].state,
                "endpoint": self.endpoint, "has_secondary": len(self.endpoints) > 1,
                "credentials": "expired" if self.expired else "valid", "dominant_error": dominant,
                "config_version": self.version, "rate_factor": self.factor,
                "last_packet_age_s": round(clock.monotonic() - self.last_packet_at, 3),
                "queue": len(self.out), "pid": os.getpid(),
            })  # fmt: skip

    def _breaker(self, name: str, breaker: Breaker) -> None:
        """Keep what a probe decided, and say so when it changed; the lock is held."""
        if breaker.state != self.breakers[name].state:
            self.service.effects.write("switch", "breaker", args={"endpoint": name, "state": breaker.state})
        self.breakers[name] = breaker


def build(service: Service, name: str) -> None:
    consumer = Consumer(service, name)
    service.route("GET", "/health", consumer.health)
    service.admin("/admin/breaker", consumer.order_breaker)
    service.admin("/admin/endpoint", consumer.order_endpoint)
    service.admin("/admin/rate", consumer.order_rate)
    service.admin("/admin/credentials/rotate", consumer.order_rotation)
    service.admin("/admin/recover-gap", consumer.order_recovery)
    service.listen(service.stack.port(f"ingestion-{name}"))
    consumer.look()
    service.loop("look", consumer.given.look_s, consumer.look)
    service.loop("poll", consumer.given.poll_s, consumer.poll)
    service.loop("send", consumer.given.send_s, consumer.send)


if __name__ == "__main__":
    main(build, "ingestion")
