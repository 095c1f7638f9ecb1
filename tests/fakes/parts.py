"""A few parts with one gauge each and admin calls that mend them or not: stories of which only the guardrails matter.

The daemon decides by the story's clock; what is configured is the least that lets a part fail, be mended and be told of.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.loader import Loaded
from config.scope import scope_of
from daemon.incidents.change import Job
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Delivery, PageEvent, Phase
from daemon.replay.virtual import Time, VirtualDriver
from daemon.settings.load import load
from daemon.settings.model import Settings
from daemon.store.store import Store
from remediations.ports import Databases, Ports, Request, Response, Unreachable
from remediations.run import Run
from tests.fakes.databases import PRIMARY, STANDBY
from tests.fakes.ports import EPOCH, FakeDatabases, FakeFiles, FakeHttp, FakeProcesses, answer

HOST = "http://plant"
SECRETS = {
    "HOOK": "whsec_" + "cGFydHMtcGFydHMtcGFydHMtcGFydHMtcGFydHMtcGE=",
    "STANDBY": STANDBY,
    "PRIMARY": PRIMARY,
}
MODE = "provider_outage"
POLL = 5.0
"""Seconds between two scrapes, unless a story says otherwise."""


def rung(name: str, **more: Any) -> dict[str, Any]:
    """A call that names the part; it has two minutes to answer."""
    do = {"http": {"method": "POST", "url": f"{HOST}/{name}/{{{{ scope.provider }}}}", "timeout": "2m"}}
    return {
        "name": name,
        "do": do,
        "verify": {"within": "2m", "hold": "20s"},
        "on_interrupt": "rerun",
        "autonomy": "auto",
        **more,
    }


def config(ladder: Sequence[Mapping[str, Any]], poll: float = POLL, **more: Any) -> dict[str, Any]:
    """A fault counts at once and is over after ten good seconds.

    `more`: sections, laid over these key by key; None takes a key away.
    """
    book = {
        "failure_mode": MODE,
        "deadline": "2d",
        "ladder": list(ladder),
        "guardrails": {"cooldown": "0s", "budget": "1000 per 1h", "wait_up_to": "6h"},
    }
    written: dict[str, Any] = {
        "version": 1,
        "environment": "story",
        "autonomy": "auto",
        "pack": "none",
        "poll_interval": f"{poll:.0f}s",
        "telemetry": {"plant": {"type": "scrape", "targets": [f"{HOST}/metrics"], "every": f"{poll:.0f}s"}},
        "detectors": {
            "part-fault": {
                "failure_mode": MODE,
                "signal": {"gauge": {"of": "part_fault", "by": ["provider"]}},
                "fire": {"above": 0.5, "for": "0s"},
                "clear": {"below": 0.5, "for": "10s"},
            }
        },
        "topology": {"shared_cause": "100%"},
        "storm": {"modes": 6, "share": "100%"},
        "playbooks": {"parts": book},
        "people": {
            "ana": {
                "name": "Ana",
                "channels": [{"webhook": {"url": f"{HOST}/page", "secret": {"env": "HOOK"}}}],
            }
        },
        "escalation": {"default": [{"level": "L1", "notify": ["person:ana"]}]},
        "limits": {"in_flight": 8},
    }
    return _over(written, more)


def _over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for name, value in above.items():
        old = both.get(name)
        both[name] = _over(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return {name: value for name, value in both.items() if value is not None}


@lru_cache(maxsize=16)
def loaded(written: str) -> Loaded[Settings]:
    """The settings of this JSON text."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "parts.yaml"
        file.write_text(written, encoding="utf-8")
        return load([file], environment=SECRETS)


@dataclass(frozen=True)
class Called:
    """One call that reached the plant."""

    at: float
    rung: str
    part: str
    key: str


@dataclass
class Parts:
    """`names`: the parts there are. `broken`: those that fail now.

    `mends`: whether a call of that rung mends that part; it does so when its answer comes, `slowness` seconds later.
    """

    written: Mapping[str, Any]
    names: list[str] = field(default_factory=lambda: [f"p{number}" for number in range(5)])
    slowness: float = 0.5
    thinking: float = 0.05
    """Seconds that a probe takes to answer."""
    mends: Callable[[str, str], bool] = lambda _rung, _part: False
    refuses: frozenset[str] = frozenset()
    """Rungs whose call is answered with 500."""
    databases: Databases = field(default_factory=FakeDatabases)
    url: str = "sqlite://"
    broken: set[str] = field(default_factory=set)
    calls: list[Called] = field(default_factory=list)
    pages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    pager_answers: list[int] = field(default_factory=list)
    probe: Callable[[], Response] = lambda: answer(200, b"{}")
    driver: VirtualDriver = field(init=False)
    _mending: dict[str, float] = field(default_factory=dict)
    _seen: Counter[str] = field(default_factory=Counter)
    """What a part that works goes on counting."""

    def __post_init__(self) -> None:
        self.time = Time(EPOCH)
        http = FakeHttp(self.time)  # type: ignore[arg-type]  # it reads `monotonic` only
        http.on("GET", f"{HOST}/metrics", self._metrics)
        http.on("GET", f"{HOST}/health", lambda _: self.probe())
        http.on("POST", f"{HOST}/page", self._page)
        http.on("POST", f"{HOST}/", self._called)
        self.ports = Ports(http, FakeProcesses(), FakeFiles(self.time), self.databases, self.time)
        self.store = Store.open(self.url)
        self.store.migrate()
        self.driver = self.another()

    def another(self) -> VirtualDriver:
        """A daemon on the same store, the same plant and the same clock; it claims the lease."""
        return VirtualDriver(
            loaded(json.dumps(self.written)), self.ports, self.time, self._latency, self.store
        )

    @property
    def now(self) -> float:
        return self.time.now()

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> None:
        self.driver.run_for(seconds, until=until)

    def until(self, seconds: float, what: Callable[[], bool]) -> float:
        """Run until it is so, `seconds` at most; how long that took."""
        began = self.now
        self.run(seconds, until=what)
        assert what(), f"not within {seconds:.0f} s\n{self.told()}"
        return self.now - began

    def gone(self, part: str) -> None:
        """Nobody says anything of it any more."""
        self.names.remove(part)
        self.broken.discard(part)

    # ------------------------------------------------------------------ what stands in the store

    def incidents(self) -> list[Incident]:
        with self.store.read() as uow:
            found = uow.incidents.search(limit=1_000).incidents
        return sorted((i for i in found if i.failure_mode == MODE), key=lambda i: (i.detected_at, i.id))

    def incident(self, part: str = "p0") -> Incident:
        """The newest of that part."""
        return [i for i in self.incidents() if i.scope == scope_of({"provider": part})][-1]

    def run_of(self, incident: Incident) -> Run:
        with self.store.read() as uow:
            run = uow.runs.get(incident.id)
        assert run is not None
        return run

    def flying(self) -> list[Attempt]:
        """In flight or in verification."""
        with self.store.read() as uow:
            return [a for a in uow.attempts.in_flight() if a.phase is not Phase.RETURN]

    def events(self, incident: Incident | None, *kinds: Kind) -> list[Event]:
        with self.store.read() as uow:
            found = uow.timeline.of("" if incident is None else incident.id)
        return [event for event in found if not kinds or event.kind in kinds]

    def triggers(self, incident: Incident) -> list[Delivery]:
        with self.store.read() as uow:
            return [row for row in uow.deliveries.of(incident.id) if row.event is PageEvent.TRIGGER]

    def told(self) -> str:
        """The whole story in words, for whoever reads a failure."""
        lines = []
        for incident in self.incidents():
            lines.append(f"{incident.id} {dict(incident.scope)} {incident.state} by {incident.resolved_by}")
            lines += [f"  {e.at - EPOCH:8.1f} {e.kind:<11} {e.text[:170]}" for e in self.events(incident)]
        return "\n".join([*lines, *(f"  {c.at - EPOCH:8.1f} {c.rung} {c.part} {c.key}" for c in self.calls)])

    # ------------------------------------------------------------------ doors

    def _metrics(self, _: Request) -> Response:
        for part in [part for part, at in self._mending.items() if at <= self.now]:
            self.broken.discard(part)
            del self._mending[part]
        if not self.names:
            raise Unreachable("connection refused")
        self._seen.update(name for name in self.names if name not in self.broken)
        lines = (f'part_fault{{provider="{name}"}} {int(name in self.broken)}\n' for name in self.names)
        counts = (f'part_seen_total{{provider="{name}"}} {self._seen[name]}\n' for name in self.names)
        gauges = ("# TYPE part_fault gauge\n", *lines)
        return answer(200, "".join((*gauges, "# TYPE part_seen_total counter\n", *counts)))

    def _called(self, request: Request) -> Response:
        _, rung_, part = urlsplit(request.url).path.split("/")
        self.calls.append(Called(self.now, rung_, part, request.headers.get("Idempotency-Key", "")))
        if rung_ in self.refuses:
            return answer(500, b'{"error": "internal"}')
        if self.mends(rung_, part):
            self._mending[part] = self.now + self.slowness
        return answer(200, b"{}")

    def _page(self, request: Request) -> Response:
        self.pages.append((self.now, json.loads(request.body or b"{}")))
        return answer(self.pager_answers.pop(0) if self.pager_answers else 204)

    def _latency(self, job: Job) -> float:
        return {"action": self.slowness, "probe": self.thinking}.get(job.kind, 0.05)
