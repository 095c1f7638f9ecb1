"""Story: the shipped pack over a pipeline of programs, driven by the virtual clock. One story is one test.

Thresholds, holds, ladders, guardrails and the escalation clock are those of the pack. What a story changes, it says:
`more` is laid over the configuration as a second file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from config.loader import Loaded
from config.scope import Scope, scope_of
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import BLIND, DAEMON, Incident
from daemon.incidents.records import Alert, Attempt, Debt, Delivery, DeliveryState, Order, PageEvent, Phase
from daemon.loop.messages import Recorded
from daemon.replay.virtual import Time, VirtualDriver
from daemon.settings.load import load
from daemon.settings.model import Settings
from daemon.store.store import Store
from remediations.run import Run
from tests.fakes.ports import EPOCH
from tests.fakes.world import PAGER, TARGETS, World

POLL = 15.0
WARM = 90.0
"""Seconds of health before a story's fault."""
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
PAGES = (PageEvent.TRIGGER, PageEvent.REMIND, PageEvent.ESCALATE)

BASE = f"""
version: 1
environment: story
autonomy: auto
poll_interval: 15s
telemetry:
  edge: {{type: scrape, targets: {list(TARGETS)}, every: 15s}}
managers: {{pipeline: {{type: supervisor, url: "unix:///run/supervisor.sock"}}}}
inventory: {{provider: [navixy, teltonika, oem-a], tier: [hot, warm, cold], suspended: {{of: telemetry_customer_suspended, by: [customer]}}}}
people:
  ana: {{name: Ana, channels: [{{webhook: {{url: "{PAGER}ana", secret: {{env: HOOK}}}}}}, {{console: {{}}}}]}}
  ben: {{name: Ben, channels: [{{console: {{}}}}]}}
  chloe: {{name: Chloe, channels: [{{console: {{}}}}]}}
schedules:
  primary: {{rotation: {{every: 1w, starts: "2025-12-29 09:00", people: [ana]}}}}
  senior: {{rotation: {{every: 1w, starts: "2025-12-29 09:00", people: [ben]}}}}
teams: {{architecture: [chloe]}}
"""
SECRETS = {"HOOK": "whsec_" + "c3RvcnktYm9vay1zdG9yeS1ib29rLXN0b3J5LWJvb2s="}
ALLOWED = """
playbooks:
  provider-outage: {rungs: {rotate-credentials: {autonomy: auto}}}
  storage-hot: {rungs: {archive-old-data: {autonomy: auto}}}
  storage-warm: {rungs: {archive-old-data: {autonomy: auto}}}
"""
"""What the demo allows beyond the pack: rotating credentials and archiving by itself."""


EVERYTHING = (
    "provider-silent",
    "provider-errors",
    "ingestion-silent",
    "consumer-down",
    "mapping-failures",
    "status-errors",
    "transformation-stalled",
    "transformation-down",
    "storage-writes",
    "storage-stalled",
    "storage-reads",
    "storage-reads-warm",
    "storage-down",
    "api-latency",
    "api-latency-history",
    "api-errors",
    "api-probe",
    "values-missing",
    "values-invalid",
    "schema-violations",
    "total-errors",
    "processing-latency",
    "customer-silent",
    "customer-disconnected",
    "customer-errors",
)
STORAGE = ("storage-writes", "storage-stalled", "storage-down")


def only(*detectors: str) -> str:
    """The pack with these detectors alone: for stories about what follows a finding, not about which one it is."""
    off = "".join(f"  {name}: {{enabled: false}}\n" for name in EVERYTHING if name not in detectors)
    return f"detectors:\n{off}"


@lru_cache(maxsize=64)
def settings_of(*texts: str) -> Loaded[Settings]:
    """The settings of these files over the pack; loading takes half a second, so each set is loaded once."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, text in enumerate(texts):
            path = Path(folder) / f"story-{number}.yaml"
            path.write_text(text, encoding="utf-8")
            files.append(path)
        return load(files, environment=SECRETS)


@dataclass
class Story:
    """A healthy pipeline watched for `warm` seconds; then the test breaks it."""

    more: str = ""
    warm: float = WARM
    base: str = BASE
    only: tuple[str, ...] = ()
    """Detectors that watch; all of the pack when left out."""
    store: Store = field(default_factory=lambda: Store.open("sqlite://"))
    world: World = field(default_factory=lambda: World(Time(EPOCH)))
    driver: VirtualDriver = field(init=False)
    _orders: int = 0
    _incidents: tuple[int, list[Incident]] | None = None
    """As they stood after so many changes of the store: most conditions are looked at after every step."""

    def __post_init__(self) -> None:
        self.time = self.world.time
        texts = [text for text in (self.base, only(*self.only) if self.only else "", self.more) if text]
        self.driver = VirtualDriver(settings_of(*texts), self.world.ports, self.time, store=self.store)
        self.run(self.warm)
        self.began = self.now

    # ------------------------------------------------------------------ time

    @property
    def now(self) -> float:
        return self.time.now()

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> None:
        self.driver.run_for(seconds, until=until)

    def until(self, seconds: float, what: Callable[[], bool]) -> float:
        """Run until it is so, `seconds` at most; how long that took. Fails when it did not happen."""
        begin = self.now
        self.run(seconds, until=what)
        assert what(), f"not within {seconds:.0f} s\n{self.told()}"
        return self.now - begin

    def ended(self, seconds: float = 2 * HOUR) -> None:
        """Run until every incident is over, or has stepped back and told its people."""
        self.until(seconds, lambda: bool(self.incidents()) and all(self.settled(i) for i in self.incidents()))

    def settled(self, incident: Incident) -> bool:
        if incident.ended:
            return True
        return incident.stepped_back and not self.of(incident.id)["sending"]

    # ------------------------------------------------------------------ what stands in the store

    def incidents(self, mode: str | None = None) -> list[Incident]:
        """All incidents so far, oldest first."""
        store = self.driver.store
        if self._incidents is None or self._incidents[0] != store.changes:
            with store.read() as uow:
                found = uow.incidents.search(limit=100).incidents
            self._incidents = (store.changes, sorted(found, key=lambda i: (i.detected_at, i.id)))
        return [i for i in self._incidents[1] if mode in {None, i.failure_mode}]

    def incident(self, mode: str | None = None, **scope: str) -> Incident:
        """The only incident of that mode (and scope)."""
        found = [i for i in self.incidents(mode) if not scope or i.scope == scope_of(scope)]
        assert len(found) == 1, f"{len(found)} incidents\n{self.told()}"
        return found[0]

    def of(self, incident: str) -> dict[str, Any]:
        """What an incident owes at this moment."""
        rows = self.deliveries(incident)
        return {"sending": [row for row in rows if row.state in {DeliveryState.OWED, DeliveryState.SENDING}]}

    def run_of(self, incident: Incident) -> Run:
        with self.driver.store.read() as uow:
            run = uow.runs.get(incident.id)
        assert run is not None
        return run

    def escalation(self, incident: Incident) -> Escalation:
        with self.driver.store.read() as uow:
            row = uow.escalations.get(incident.id)
        assert row is not None
        return row

    def events(self, incident: Incident | str, *kinds: Kind) -> list[Event]:
        name = incident if isinstance(incident, str) else incident.id
        with self.driver.store.read() as uow:
            return [event for event in uow.timeline.of(name) if not kinds or event.kind in kinds]

    def deliveries(self, incident: Incident | str) -> list[Delivery]:
        name = incident if isinstance(incident, str) else incident.id
        with self.driver.store.read() as uow:
            return list(uow.deliveries.of(name))

    def attempts(self, incident: Incident) -> list[Attempt]:
        with self.driver.store.read() as uow:
            return list(uow.attempts.of(incident.id))

    def debts(self, incident: Incident) -> list[Debt]:
        with self.driver.store.read() as uow:
            return list(uow.debts.of(incident.id))

    # ------------------------------------------------------------------ short answers

    def tried(self, incident: Incident) -> list[str]:
        """Rungs whose action was begun, in order."""
        return [a.rung for a in self.attempts(incident) if a.phase is Phase.DO and a.started_at is not None]

    def verdicts(self, incident: Incident) -> list[tuple[str, str | None]]:
        return [(a.rung, a.verdict) for a in self.attempts(incident) if a.phase is Phase.DO]

    def undone(self, incident: Incident) -> list[str]:
        return [a.rung for a in self.attempts(incident) if a.phase is Phase.UNDO and a.outcome == "done"]

    def pages(self, incident: Incident) -> list[tuple[str, int, float]]:
        """(event, level, seconds after detection) of every page that was owed, reminders included."""
        return [
            (str(row.event), row.level, row.created_at - incident.detected_at)
            for row in self.deliveries(incident)
            if row.event in PAGES
        ]

    def paged(self, incident: Incident) -> list[int]:
        """Levels that got a page of their own; reminders are none."""
        return [
            row.level
            for row in self.deliveries(incident)
            if row.event in {PageEvent.TRIGGER, PageEvent.ESCALATE}
        ]

    def all_paged(self) -> list[tuple[str, int]]:
        """(failure mode, level) of every page of every incident."""
        return [(i.failure_mode, level) for i in self.incidents() for level in self.paged(i)]

    def said(self, incident: Incident, kind: Kind) -> list[str]:
        return [event.text for event in self.events(incident, kind)]

    # ------------------------------------------------------------------ people and other systems

    def order(self, kind: str, incident: Incident | None = None, who: str = "ana", **args: Any) -> None:
        """What the command line writes; the loop carries it out at its next step."""
        row = Order(0, self.now, kind, who, "cli", incident.id if incident else None, args)
        (self._orders,) = self.driver.store.record(orders=[row])
        self.driver.hear(Recorded())
        self.run(1.0)

    def answer(self) -> str:
        """What whoever gave the last order was told."""
        with self.driver.store.read() as uow:
            order = uow.inbox.order(self._orders)
        assert order is not None
        return order.answer

    def alert(self, name: str, *, status: str = "firing", fingerprint: str = "f-1", **labels: str) -> None:
        row = Alert(
            0, self.now, fingerprint, status, {"alertname": name, **labels}, {"summary": f"{name} fires"},
            self.now, None, "alertmanager",
        )  # fmt: skip
        self.driver.store.record(alerts=[row])
        self.driver.hear(Recorded())

    # ------------------------------------------------------------------ for whoever reads a failure

    def told(self) -> str:
        """The whole story in words."""
        lines = []
        for incident in self.incidents():
            lines.append(
                f"{incident.id} {incident.failure_mode} {dict(incident.scope)} {incident.state} by {incident.resolved_by}"
            )
            lines += [
                f"  {e.at - self.began:8.1f} {e.kind:<11} {e.text[:170]}" for e in self.events(incident)
            ]
        lines += [f"  {e.at - self.began:8.1f} {e.what} {e.key}" for e in self.world.effects]
        lines += [f"  parked: {name} {item.error}" for name, item in self.driver.loop.parked.items().items()]
        return "\n".join(lines)


def scope(**labels: str) -> Scope:
    return scope_of(labels)


def is_self(incident: Incident) -> bool:
    return incident.failure_mode in {BLIND, DAEMON}


def others(incidents: Sequence[Incident], mode: str) -> list[str]:
    """Failure modes of the incidents that are not of this one."""
    return [i.failure_mode for i in incidents if i.failure_mode != mode]
