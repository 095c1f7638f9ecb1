"""A pipeline for the virtual driver: counters that flow with the story's clock, and admin calls that change the flow.

Everything the daemon sees goes through the same doors as in production: `/metrics` of each program as text, health as
JSON, the process manager as XML-RPC, version links as links. What really happened to the pipeline is kept in `effects`.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from daemon.replay.virtual import Time
from remediations.ports import Ambiguous, Ports, Request, Response, Unreachable
from tests.fakes.ports import FakeDatabases, FakeFiles, FakeHttp, FakeProcesses, answer
from tests.fakes.programs import PROVIDERS, TIERS, Api, Consumer, Count, Refused, Tier, Transformer
from tests.fakes.supervisor import FakeSupervisor, Program

SUPERVISOR = "unix:///run/supervisor.sock"
EDGE = "http://edge:9100/metrics"
"""All programs at one address, those that are dead left out."""
FOLDERS = {what: Path(f"/srv/pipeline/{what}") for what in ("mapping", "rules", "ingestion")}
UNITS = (
    *(f"ingestion-{provider}" for provider in PROVIDERS),
    "transformation",
    *(f"storage-writer-{tier}" for tier in TIERS),
    "api",
)
TARGETS = tuple(f"http://{unit}:9100/metrics" for unit in UNITS)
"""Each program serves its own numbers, and takes them with it when it dies."""
WORKERS = 4
PAGER = "https://pager.example.org/"

Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Effect:
    """One thing that really happened to the pipeline."""

    at: float
    what: str
    key: str


class _Links(FakeFiles):
    """Version links whose every swap is an effect."""

    def __init__(self, world: World) -> None:
        super().__init__(world.time)
        self._world = world

    def swap_link(self, link: Path, target: Path) -> None:
        self._world.flow()
        super().swap_link(link, target)
        self._world.note(f"link {link.parent.name} {target.name}")


@dataclass
class World:
    """`liar`: every order is answered with success and nothing happens. `silent`: no `/metrics` can be reached."""

    time: Time
    liar: bool = False
    silent: bool = False
    ambiguous: bool = False
    """Admin calls take effect and their answer is lost."""
    refusing: bool = False
    """Admin calls are answered with 500 and change nothing."""
    hidden: set[tuple[str, str]] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    """Programs whose `/metrics` cannot be reached though they work."""
    effects: list[Effect] = field(default_factory=list)
    counters: dict[str, dict[Key, float]] = field(default_factory=lambda: {unit: {} for unit in UNITS})
    status: dict[str, str] = field(default_factory=dict)
    sent: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """What the pager was told: (when, body)."""
    pager_answers: list[int] = field(default_factory=list)
    """Status codes of the next answers; 200 when there are none left."""
    pager_lost: bool = False
    """The pager takes messages and its answers are lost."""
    bad_versions: dict[str, str] = field(default_factory=dict)
    """`mapping/v003` -> what that version does wrong."""
    mended_at: float = math.inf  # by hand
    _at: float = math.nan
    _settled_at: float = math.nan
    _alone: threading.Lock = field(default_factory=threading.Lock)
    """Targets are scraped side by side."""

    def __post_init__(self) -> None:
        self.consumers = {provider: Consumer(provider) for provider in PROVIDERS}
        self.transformer = Transformer()
        self.tiers = {tier: Tier(tier) for tier in TIERS}
        self.api = Api()
        self.http = FakeHttp(self.time)  # type: ignore[arg-type]  # a story's clock has both readings
        self.files: FakeFiles = _Links(self)
        self.supervisor = FakeSupervisor()
        for unit in UNITS:
            self.supervisor.add(unit)
        for index in range(WORKERS):
            self.supervisor.add(
                "api-worker", f"api-worker-{index}", state="RUNNING" if index < 2 else "STOPPED"
            )
        self.http.on("POST", SUPERVISOR, self._supervise)
        self.http.on("GET", EDGE, self._edge)
        self.http.on("POST", PAGER, self._pager)
        for unit, target in zip(UNITS, TARGETS, strict=True):
            self.http.on("GET", target, partial(self._metrics_of, unit))
        for host in ("storage-admin", "transformation", "api", *(f"ingestion-{p}" for p in PROVIDERS)):
            self.http.on("GET", f"http://{host}:8080", self._health)
            self.http.on("POST", f"http://{host}:8080", self._admin)
        self.http.on("GET", "https://status.example.org", self._status)
        for folder in FOLDERS.values():
            self.files.add_version(folder, "v001", self.time.now() - 864_000)
            self.files.add_version(folder, "v002", self.time.now() - 86_400)
            self.files.links[folder / "current"] = Path("v002")

    @property
    def ports(self) -> Ports:
        return Ports(self.http, FakeProcesses(), self.files, FakeDatabases(), self.time)

    # ------------------------------------------------------------------ what stories do to it

    def deploy(self, what: str, wrong: str) -> None:
        """A new version goes live and does something wrong."""
        self.flow()
        folder = FOLDERS[what]
        version = f"v{len(self.files.folders[folder]) + 1:03d}"
        self.files.add_version(folder, version, self.time.now() - 1)
        self.files.links[folder / "current"] = Path(version)
        self.files.switched[folder / "current"] = self.time.now()
        self.bad_versions[f"{what}/{version}"] = wrong

    def break_tier(self, name: str, reason: str, *, errors: float = 1.0, primary: str = "healthy") -> None:
        """A tier fails from now on."""
        self.flow()
        tier = self.tiers[name]
        tier.reason, tier.error_share, tier.primary = reason, errors, primary

    def heal_tier(self, name: str) -> None:
        self.flow()
        self.tiers[name] = Tier(name)

    def change(self, part: Consumer | Transformer | Tier | Api, **fields: Any) -> None:
        """Set fields of a program, counted up to now under the old ones."""
        self.flow()
        for name, value in fields.items():
            if not hasattr(part, name):
                raise AttributeError(name)
            setattr(part, name, value)

    def newcomer(self, provider: str) -> Consumer:
        """A provider that was not there before; its consumer shows itself among the others' numbers."""
        self.flow()
        self.consumers[provider] = Consumer(provider, rate=1.0)
        self.supervisor.add(f"ingestion-{provider}")
        self.counters[f"ingestion-{provider}"] = self.counters["ingestion-navixy"]
        self.http.on("GET", f"http://ingestion-{provider}:8080", self._health)
        self.http.on("POST", f"http://ingestion-{provider}:8080", self._admin)
        return self.consumers[provider]

    def forget(self, unit: str, prefix: str) -> None:
        """A program goes on without showing these metrics any more."""
        self.flow()
        self.hidden.add((unit, prefix))

    def kill(self, *units: str) -> None:
        self.flow()
        for unit in units:
            program = self.program(unit)
            program.state, program.pid = "EXITED", 0

    def start(self, *units: str) -> None:
        """Somebody else starts them: no effect of ours."""
        self.flow()
        for unit in units:
            program = self.program(unit)
            program.state, program.pid = "RUNNING", self.supervisor.next_pid + 1
            self.supervisor.next_pid += 1
            self.counters.get(unit, {}).clear()
            if unit.startswith("ingestion-"):
                self.consumers[unit.removeprefix("ingestion-")].configured = False

    def program(self, unit: str) -> Program:
        return next(p for p in self.supervisor.programs if unit in {p.full_name, p.name})

    def running(self, unit: str) -> bool:
        return self.program(unit).state == "RUNNING"

    @property
    def workers(self) -> int:
        """API workers that serve."""
        return sum(self.running(f"api-worker-{index}") for index in range(2 if self.liar else WORKERS))

    # ------------------------------------------------------------------ what really happened

    def note(self, what: str, key: str = "") -> None:
        self.effects.append(Effect(self.time.now(), what, key))

    def did(self, what: str) -> list[Effect]:
        """Effects whose name begins so."""
        return [effect for effect in self.effects if effect.what.startswith(what)]

    def counts(self) -> Counter[str]:
        return Counter(effect.what for effect in self.effects)

    # ------------------------------------------------------------------ what flows

    def flow(self) -> None:
        """Let the counters run up to now under the present state; call it before changing that state."""
        with self._alone:
            self._flow()

    def _settle(self) -> None:
        """The same before looking at them: those who look at one instant see one state."""
        with self._alone:
            if self._settled_at != self.time.now():
                self._flow()
                self._settled_at = self.time.now()

    def _flow(self) -> None:
        now = self.time.now()
        self._settled_at = math.nan
        seconds = 0.0 if math.isnan(self._at) else now - self._at
        self._at = now
        packets: dict[str, float] = {}
        for provider, consumer in self.consumers.items():
            unit = f"ingestion-{provider}"
            if f"ingestion/{self.version('ingestion')}" not in self.bad_versions:
                consumer.configured = True
            if self.running(unit) and consumer.serving:
                packets[provider], counts = consumer.flow(seconds)
                self._count(unit, counts)
        records = self._flow_transformation(packets)
        for name, tier in self.tiers.items():
            if self.running(f"storage-writer-{name}"):
                self._count(f"storage-writer-{name}", tier.flow(records, seconds))  # type: ignore[arg-type]
        if self.running("api"):
            self._count("api", self.api.flow(seconds, self.workers, self.tiers["hot"]))

    def _flow_transformation(self, packets: Mapping[str, float]) -> float:
        transformer = self.transformer
        if not self.liar:
            transformer.mapping = self.bad_versions.get(f"mapping/{self.version('mapping')}", "")
            transformer.rules = self.bad_versions.get(f"rules/{self.version('rules')}", "")
        if not self.running("transformation"):
            return 0.0
        records, counts = transformer.flow(packets)
        self._count("transformation", counts)
        for provider in PROVIDERS:
            done = 0.0 if provider in transformer.isolated else packets.get(provider, 0.0)
            buckets = [("1", done), ("30", done), ("+Inf", done)]
            name = "telemetry_processing_latency_seconds_bucket"
            self._count("transformation", [(name, n, {"provider": provider, "le": le}) for le, n in buckets])
        return records

    def version(self, what: str) -> str:
        return self.files.links[FOLDERS[what] / "current"].name

    def _count(self, unit: str, counts: Iterable[Count]) -> None:
        mine = self.counters[unit]
        for name, amount, labels in counts:
            key = (name, tuple(sorted(labels.items())))
            mine[key] = mine.get(key, 0.0) + amount

    # ------------------------------------------------------------------ doors

    def _edge(self, _: Request) -> Response:
        if self.silent:
            raise Unreachable("connection refused")
        return answer(200, "".join(self._text(unit) for unit in UNITS if self.running(unit)))

    def _metrics_of(self, unit: str, _: Request) -> Response:
        self._demand(unit, silent=self.silent or unit in self.deaf)
        return answer(200, self._text(unit))

    def _text(self, unit: str) -> str:
        self._settle()
        gone = tuple(prefix for program, prefix in self.hidden if program == unit)
        lines = [
            f"{_line(key)} {value!r}\n"
            for key, value in self.counters[unit].items()
            if not gone or not key[0].startswith(gone)
        ]
        consumer = self.consumers.get(unit.removeprefix("ingestion-"))
        suspended = () if consumer is None else sorted(consumer.suspended)
        lines += [f'telemetry_customer_suspended{{customer="{customer}"}} 1\n' for customer in suspended]
        return "".join(lines)

    def _demand(self, unit: str, *, silent: bool = False) -> None:
        if silent or not self.running(unit):
            raise Unreachable("[Errno 111] Connection refused")
        consumer = self.consumers.get(unit.removeprefix("ingestion-"))
        if consumer is not None and not consumer.serving:
            raise Unreachable("no answer within 2 s")

    def _status(self, request: Request) -> Response:
        provider = request.url.rsplit("/", 1)[1]
        return answer(200, orjson.dumps({"state": self.status.get(provider, "up")}))

    def _pager(self, request: Request) -> Response:
        self.sent.append((self.time.now(), orjson.loads(request.body or b"{}")))
        if self.pager_lost:
            raise Ambiguous("no answer")
        return answer(self.pager_answers.pop(0) if self.pager_answers else 200, b"{}")

    def _supervise(self, request: Request) -> Response:
        before = len(self.supervisor.orders)
        self.flow()
        response = self.supervisor.respond(request)
        for name, unit in self.supervisor.orders[before:]:
            self.note(f"{name} {unit}")
            if name == "startProcess" and not self.liar:
                self._started(unit)
        return response

    def _started(self, unit: str) -> None:
        """A fresh process has none of the faults that lived in its memory, and counts from zero."""
        self.counters.get(unit, {}).clear()
        if unit.startswith("storage-writer-"):
            self.tiers[unit.removeprefix("storage-writer-")].started()
        elif unit == "transformation":
            self.transformer.stuck = self.transformer.stalled = False
        elif unit.startswith("ingestion-"):
            self.consumers[unit.removeprefix("ingestion-")].hung = False
            self.consumers[unit.removeprefix("ingestion-")].configured = False

    def _admin(self, request: Request) -> Response:
        host, path = _place(request)
        self._demand(_unit(host, path))
        self.flow()
        body = orjson.loads(request.body or b"{}")
        key = {name.lower(): value for name, value in request.headers.items()}.get("idempotency-key", "")
        where = f"{host.removeprefix('ingestion-')}{path}" if host.startswith("ingestion-") else path
        self.note(f"{where} {_shown(body)}", key)
        if self.refusing:
            return answer(500, b'{"error": "internal"}')
        if not self.liar:
            try:
                self._order(host, path, body)
            except Refused as error:
                return answer(409, orjson.dumps({"error": str(error)}))
        if self.ambiguous:
            raise Ambiguous("no answer")
        return answer(200, b'{"ok": true}')

    def _order(self, host: str, path: str, body: Mapping[str, Any]) -> None:
        if host == "storage-admin":
            _, _, name, verb = path.split("/")
            self.tiers[name].order(verb, body)
        elif host == "transformation":
            self.transformer.order(path, body)
        elif host == "api":
            self.api.order(path, body)
        else:
            self.consumers[host.removeprefix("ingestion-")].order(path, body)

    def _health(self, request: Request) -> Response:
        host, path = _place(request)
        unit = _unit(host, path)
        if self.program(unit).wont_start:
            return answer(200, b'{"hello": "stranger"}')
        self._demand(unit)
        return answer(200, orjson.dumps(self._health_of(host, path)))

    def _health_of(self, host: str, path: str) -> Mapping[str, Any]:
        if host == "storage-admin":
            return self.tiers[path.split("/")[2]].health()
        if host == "transformation":
            return self.transformer.health(self.version("mapping"), self.version("rules"))
        if host == "api":
            return self.api.health(self.workers, self.tiers["hot"])
        return self.consumers[host.removeprefix("ingestion-")].health()


def _place(request: Request) -> tuple[str, str]:
    parts = urlsplit(request.url)
    return parts.hostname or "", parts.path


def _unit(host: str, path: str) -> str:
    return f"storage-writer-{path.split('/')[2]}" if host == "storage-admin" else host


def _line(key: Key) -> str:
    name, labels = key
    inner = ",".join(f'{label}="{value}"' for label, value in labels)
    return f"{name}{{{inner}}}"


def _shown(body: Any) -> str:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode() if body else ""
