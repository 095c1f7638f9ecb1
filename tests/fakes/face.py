"""A console with everything behind it faked but the store: what tests of the web build on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from config.secrets import Secret
from daemon.desk.snapshot import Snapshot
from daemon.desk.tokens import Tokens, TokenSpec
from daemon.detect.inbox import AlertmanagerInbox, InboxSpec
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.twilio_back import Phones
from daemon.incidents.records import Alert, Order
from daemon.metrics import Metrics
from daemon.store.store import Store
from daemon.web.app import build_app
from daemon.web.limits import Limits
from tests.fakes import scene, scene_live
from tests.fakes.ports import FakeHttp

TOKENS = {role: f"fm_test-token-of-the-{role}-0123456789" for role in ("viewer", "operator", "admin")}
INBOX = "inbox-token-0123456789"


class StillClock:
    """Stands at the night of the scene until it is moved."""

    def __init__(self, now: float = scene.NOW) -> None:
        self.at = now

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class Records:
    """Writes rows at once, or fails as told: `raises` when asked, `fails` in the future, `hangs` for ever."""

    store: Store
    orders: list[Order] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    raises: Exception | None = None
    fails: Exception | None = None
    hangs: bool = False

    def __call__(self, orders: Sequence[Order], alerts: Sequence[Alert]) -> Future[tuple[int, ...]]:
        if self.raises is not None:
            raise self.raises
        done: Future[tuple[int, ...]] = Future()
        if self.hangs:
            return done
        if self.fails is not None:
            done.set_exception(self.fails)
            return done
        ids = self.store.record(orders, alerts)
        self.orders += orders
        self.alerts += alerts
        done.set_result(ids)
        return done


def tokens(names: Sequence[str] = ("viewer", "operator", "admin")) -> Tokens:
    """One token a role, named like it."""
    specs = [
        TokenSpec(
            name=name,
            role=name,
            sha256=Secret(hashlib.sha256(TOKENS[name].encode()).hexdigest()),
        )
        for name in names
    ]
    return Tokens(specs)


class Face:
    """The application and every handle a test may turn."""

    def __init__(self, store: Store, **limits: Any) -> None:
        self.store = store
        self.clock = StillClock()
        self.known = scene.known()
        self.live: Snapshot | None = scene_live.snapshot()
        self.record = Records(store)
        self.tokens = tokens()
        self.keys: list[bytes] = [b"first-key-first-key-first-key-01"]
        self.inbox = InboxSpec(alertmanager=AlertmanagerInbox(token=Secret(INBOX)))
        self.problems: list[str] = []
        self.reloads = 0
        self.ready = (True, "ready")
        self.public_url = ""
        self.local_operator = False
        self.shared = Shared()
        self.http = FakeHttp()
        self.phones: Phones | None = None
        registry = CollectorRegistry()
        Metrics(registry).build("0.1.0", "3.11")
        self.app: FastAPI = build_app(
            reader=store,
            known=lambda: self.known,
            snapshot=lambda: self.live,
            record=self._record,
            reload=self._reload,
            registry=registry,
            tokens=lambda: self.tokens,
            signing_keys=lambda: self.keys,
            chart=scene_live.chart,
            clock=self.clock,
            ready=lambda: self.ready,
            inbox=lambda: self.inbox,
            public_url=lambda: self.public_url,
            local_operator=lambda: self.local_operator,
            shared=lambda: self.shared,
            http=self.http,
            whose_phones=lambda: self.phones,
            limits=replace(Limits(), **limits),
        )

    def _record(self, orders: Sequence[Order], alerts: Sequence[Alert]) -> Future[tuple[int, ...]]:
        return self.record(orders, alerts)

    def _reload(self) -> Sequence[str]:
        self.reloads += 1
        return self.problems
