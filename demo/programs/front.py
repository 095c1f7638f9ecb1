"""What the API front decides, without a socket: who waits next, who is the heaviest client, what is cached. Time is an argument."""

import heapq
import itertools
import threading
from collections import Counter as Tally
from collections import deque
from dataclasses import dataclass, field
from typing import Any

ENDPOINTS = ("live", "history")
FIRST = {"history": 0, "live": 1}  # exports are few and must not starve behind a crowd of live requests


@dataclass(slots=True)
class Ticket:
    """One request on its way through a worker."""

    endpoint: str
    asset: str
    ended: threading.Event = field(default_factory=threading.Event)
    status: int = 503
    content: Any = None
    given_up: bool = False


class WaitingRoom:
    """Requests that wait for a worker, the priority of their endpoint first, then in order."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.heap: list[tuple[int, int, Ticket]] = []
        self.number = itertools.count()

    def add(self, ticket: Ticket) -> None:
        with self.condition:
            heapq.heappush(self.heap, (FIRST[ticket.endpoint], next(self.number), ticket))
            self.condition.notify()

    def put_back(self, ticket: Ticket) -> None:
        """A worker that died had it: it comes first of its kind."""
        with self.condition:
            heapq.heappush(self.heap, (FIRST[ticket.endpoint], -next(self.number), ticket))
            self.condition.notify()

    def take(self, within: float) -> Ticket | None:
        """The next request that somebody still waits for."""
        with self.condition:
            if not self.heap:
                self.condition.wait(within)
            while self.heap:
                ticket = heapq.heappop(self.heap)[2]
                if not ticket.given_up:
                    return ticket
        return None

    def __len__(self) -> int:
        return len(self.heap)


class RateLimits:
    """Requests a client makes in a window, and the limits people set."""

    def __init__(self, window: float) -> None:
        self.window = window
        self.lock = threading.Lock()
        self.seen: deque[tuple[float, str]] = deque()
        self.limits: dict[str, float] = {}
        self.heavy: set[str] = set()  # clients whose limit was set because they were the heaviest
        self.tokens: dict[str, tuple[float, float]] = {}

    def allows(self, client: str, now: float) -> bool:
        with self.lock:
            self.seen.append((now, client))
            while self.seen and self.seen[0][0] < now - self.window:
                self.seen.popleft()
            limit = self.limits.get(client)
            if limit is None:
                return True
            tokens, at = self.tokens.get(client, (limit, now))
            tokens = min(max(1.0, limit), tokens + (now - at) * limit)
            self.tokens[client] = (tokens - 1 if tokens >= 1 else tokens, now)
            return tokens >= 1

    def heaviest(self) -> str | None:
        with self.lock:
            tally = Tally(client for _, client in self.seen)
        return tally.most_common(1)[0][0] if tally else None

    def limit(self, client: str, per_s: float) -> None:
        """A limit of 0 takes the limit away."""
        with self.lock:
            self.limits.pop(client, None)
            self.tokens.pop(client, None)
            self.heavy.discard(client)
            if per_s > 0:
                self.limits[client] = per_s

    def limit_heaviest(self, per_s: float) -> str | None:
        """The client that got the limit. A limit of 0 takes it from every client that got one so."""
        if per_s <= 0:
            for limited in list(self.heavy):
                self.limit(limited, 0)
            return None
        client = self.heaviest()
        if client is not None:
            self.limit(client, per_s)
            self.heavy.add(client)
        return client


class AddressCache:
    """Addresses that were looked up, as long as the cache is on; a cache that is switched off is empty."""

    def __init__(self) -> None:
        self.on = True
        self.addresses: dict[str, str] = {}
        self.asked: deque[bool] = deque(maxlen=60)

    def switch(self, on: bool) -> None:
        self.on = on
        if not on:
            self.addresses.clear()

    def find(self, asset: str) -> str | None:
        found = self.addresses.get(asset) if self.on else None
        self.asked.append(found is not None)
        return found

    def keep(self, asset: str, address: str) -> None:
        if self.on:
            self.addresses[asset] = address

    @property
    def hit_share(self) -> float:
        asked = list(self.asked)
        return round(sum(asked) / len(asked), 3) if asked else 0.0
