"""Two hundred incidents at once while fifty slow actions are due: what a round of the loop costs, and who is told when.

The real daemon, polling once a second, watches 600 tiers. First fifty break whose rung is slow and storm-safe: eight
actions are in flight, the others wait for the cap. Then two hundred more break at the same moment, which is a storm.
Later all heal, the storm is left, and it begins anew. "Idle" is the same daemon before anything broke.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import requests

from benchmarks.child import Running, daemon
from benchmarks.figure import Figure, ms
from benchmarks.peer_rules import megabytes
from benchmarks.served import served, watching
from daemon.clock import SystemClock

TIERS, SLOW, BURST = 600, 50, 200
CAP = 8
SLOW_ACTION = 2.0
"""Seconds that an action takes."""
STORMS = 4
IDLE, FIRST, STORMY = 20.0, 4.0, 15.0
"""Seconds: watched while all is well; from the slow ones to the burst; from the burst to the end of a storm's figures."""
TIMES_IDLE, ROUND_MOST = 2.0, 1.0
PAGE_MOST = 5.0
MEMORY_MOST = 250.0
GIVE_UP = 60.0
CLOCK = SystemClock()
_PIPELINES = re.compile(r"incident\.trigger (st|sf)-")
"""Pages about what is watched; on a busy machine the daemon may have to tell of itself that its rounds take long."""


@dataclass(slots=True)
class World:
    """What the telemetry shows, what was called, who was told. Instants are unix seconds."""

    broken: set[int] = field(default_factory=set)
    under_way: int = 0
    most_under_way: int = 0
    calls: int = 0
    pages: list[tuple[float, str]] = field(default_factory=list)
    """(accepted at, what: kind of the message and id of the incident)."""
    guard: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)

    def metrics(self) -> bytes:
        broken = set(self.broken)
        lines = (f'bench_fault{{tier="t{n}"}} {int(n in broken)}\n' for n in range(TIERS))
        return ("# TYPE bench_fault gauge\n" + "".join(lines)).encode()

    def act(self) -> None:
        with self.guard:
            self.calls += 1
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        self.released.wait(SLOW_ACTION)
        with self.guard:
            self.under_way -= 1

    def asked(self, path: str, body: bytes) -> None:
        if path == "/page":
            self.page(body)
        else:
            self.act()

    def page(self, body: bytes) -> None:
        told = json.loads(body)
        with self.guard:
            self.pages.append((CLOCK.now(), f"{told['type']} {told['data']['incident']}"))


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the loop."""

    at: float
    took: float
    used: float


@dataclass(slots=True)
class Seen:
    """What one run showed."""

    bursts: list[float] = field(default_factory=list)
    told_after: list[float] = field(default_factory=list)
    idle_until: float = 0.0
    rounds: list[Round] = field(default_factory=list)
    storms: int = 0
    paged: int = 0
    megabytes: float = 0.0
    in_record: int = 0

    def idle(self) -> list[Round]:
        return [one for one in self.rounds if self.idle_until - IDLE <= one.at < self.idle_until]

    def busy(self) -> list[Round]:
        return [one for one in self.rounds if any(at - FIRST <= one.at < at + STORMY for at in self.bursts)]


def figures() -> list[Figure]:
    """One run of the daemon, several storms."""
    world, seen = World(), Seen()
    with tempfile.TemporaryDirectory(prefix="fm-storm-") as name, served(world.metrics, world.asked) as port:
        rounds = Path(name) / "rounds"
        program = [sys.executable, "-m", "benchmarks.timed", str(rounds)]
        (Path(name) / "key").write_text(
            "whsec_" + "c3Rvcm0tc3Rvcm0tc3Rvcm0tc3Rvcm0tc3Rvcm0=", encoding="ascii"
        )
        try:
            with daemon(settings(port, Path(name) / "key"), program=program) as running:
                _play(world, seen, running)
                seen.megabytes = megabytes(running.pid, "VmHWM")
        finally:
            world.released.set()
        seen.rounds = [Round(*map(float, line.split())) for line in rounds.read_text("ascii").splitlines()]
    return _table(world, seen)


def _table(world: World, seen: Seen) -> list[Figure]:
    idle, busy = _p99(seen.idle()), _p99(seen.busy())
    worst = max(seen.told_after)
    least = BURST + SLOW
    return [
        Figure(
            f"a round of the loop in {STORMS} storms of {least} incidents, p99",
            ms(busy.took),
            f"<= {ms(ROUND_MOST)} and <= {TIMES_IDLE:g} x idle",
            busy.took <= ROUND_MOST and busy.took <= TIMES_IDLE * idle.took,
            f"idle {ms(idle.took)}, {busy.took / idle.took:.1f} x; processor {ms(busy.used)} to {ms(idle.used)}; "
            f"longest {ms(max(one.took for one in seen.busy()))}; {len(seen.idle())} and {len(seen.busy())} rounds",
        ),
        Figure(
            "burst -> first page accepted, most",
            ms(worst),
            f"<= {ms(PAGE_MOST)}",
            worst <= PAGE_MOST,
            ", ".join(ms(one) for one in seen.told_after),
        ),
        Figure(
            "pages in a storm, and actions under way at once, most",
            f"{seen.paged / seen.storms:g}, {world.most_under_way}",
            f"1, <= {CAP}",
            seen.paged == seen.storms == STORMS and world.most_under_way <= CAP and seen.in_record >= least,
            f"{world.calls} actions; {seen.in_record} incidents in the record",
        ),
        Figure("resident memory in storms, most", f"{seen.megabytes:.0f} MB", f"<= {MEMORY_MOST:.0f} MB", seen.megabytes <= MEMORY_MOST),
    ]  # fmt: skip


def _p99(rounds: list[Round]) -> Round:
    """The 99th percentile of each column by itself."""
    took, used = sorted(one.took for one in rounds), sorted(one.used for one in rounds)
    place = min(len(took) - 1, round(0.99 * (len(took) - 1)))
    return Round(0.0, took[place], used[place])


def _play(world: World, seen: Seen, running: Running) -> None:
    pause = threading.Event()
    pause.wait(5.0 + IDLE)
    seen.idle_until = CLOCK.now()
    for _ in range(STORMS):
        world.broken.update(range(SLOW))
        pause.wait(FIRST)
        world.broken.update(range(SLOW + BURST))
        at = CLOCK.now()
        seen.bursts.append(at)
        _wait("a storm's page", partial(_told, world, at))
        seen.told_after.append(_of_storm(world, at)[0] - at)
        pause.wait(max(0.0, at + STORMY - CLOCK.now()))
        seen.paged += sum(when >= at and bool(_PIPELINES.match(what)) for when, what in world.pages)
        seen.in_record = max(seen.in_record, _open(running))
        world.broken.clear()
        _wait("all is over", lambda: _open(running) == 0)
    seen.storms = len(seen.bursts)


def _told(world: World, since: float) -> bool:
    return bool(_of_storm(world, since))


def _of_storm(world: World, since: float) -> list[float]:
    """When pages of a storm were accepted."""
    return [when for when, what in world.pages if when >= since and what.startswith("incident.trigger st-")]


def _open(running: Running) -> int:
    """Incidents of the pipeline that are not over, by the daemon's own metrics; a busy machine makes some of its own."""
    text = requests.get(f"{running.url}/metrics", timeout=10).text
    return round(
        sum(
            float(value)
            for value in re.findall(
                r'^fleetmend_incidents\{failure_mode="(?:storage_failure|storm)".*\} (\S+)$',
                text,
                re.MULTILINE,
            )
        )
    )


def _wait(what: str, holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    until = CLOCK.monotonic() + GIVE_UP
    while not holds():
        if CLOCK.monotonic() > until:
            raise RuntimeError(f"not within {GIVE_UP:.0f} s: {what}")
        pause.wait(0.05)


def settings(port: int, key: Path) -> dict[str, Any]:
    """Two playbooks: of the slow ones, storm-safe; of the others, which wait for the storm's end."""
    base = f"http://127.0.0.1:{port}"
    rung = {
        "name": "mend",
        "do": {"http": {"method": "POST", "url": f"{base}/mend/{{{{ scope.tier }}}}", "expect": "2xx"}},
        "verify": {"within": "10s", "hold": "1s"},
        "on_interrupt": "rerun",
        "autonomy": "auto",
    }
    guardrails = {
        "cooldown": "0s",
        "budget": "1000 per 1h",
        "wait_up_to": "10m",
        "blast_radius": {"max_scopes": 1000},
    }
    book = {"failure_mode": "storage_failure", "guardrails": guardrails, "deadline": "1h"}
    slow = {"match": {"tier": [f"t{n}" for n in range(SLOW)]}, "ladder": [{**rung, "storm_safe": True}]}
    return {
        **watching(base),
        "storm": {"leave_after": "3s"},
        "playbooks": {"slow": {**book, **slow}, "others": {**book, "ladder": [rung]}},
        "escalation": {"default": [{"level": "L1", "notify": ["person:ana"]}]},
        "people": {
            "ana": {
                "name": "Ana",
                "channels": [{"webhook": {"url": f"{base}/page", "secret": {"file": str(key)}}}],
            }
        },
        "limits": {"in_flight": CAP, "in_flight_per_target": CAP},
    }
