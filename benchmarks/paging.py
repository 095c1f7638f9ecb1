"""A thousand incidents in sixty seconds: who is told when, by how many messages, and what the daemon takes for it. Twice.

The real daemon, polling once a second, watches 1 200 tiers; seventeen a second break until a thousand are broken. Nothing
can mend them, so each is a page to three people: by signed webhook, Slack and ntfy. Then all heal, and it begins anew.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from benchmarks.child import Running, daemon
from benchmarks.figure import Figure, ms, spread
from benchmarks.peer_rules import megabytes
from benchmarks.served import served, watching
from daemon.clock import SystemClock

TIERS, COUNT, SPAN = 1200, 1000, 60
STORMS = 2
FIVE_MINUTES, MOST = 300.0, 5
FIRST_MOST = 5.0
GROWTH_MOST = 10.0
"""Megabytes that a second thousand may add."""
GIVE_UP = 600.0
PEOPLE = {"/hook": "webhook", "/slack": "slack", "/": "ntfy"}
"""Path of each person's channel at the world's server."""
CLOCK = SystemClock()
_ID = re.compile(r"\bsf-[0-9a-z]+\b")
_MANY = re.compile(r"\] (\d+) (?:more incidents|incidents at once|incidents are over)")


@dataclass(frozen=True, slots=True)
class Got:
    """One message: `told` counts the incidents that it speaks of, `ids` are those it names."""

    at: float
    page: bool
    told: int
    ids: frozenset[str]


@dataclass(slots=True)
class World:
    """What the telemetry shows, and what each person got. Instants are unix seconds."""

    broken: int = 0
    got: dict[str, list[Got]] = field(default_factory=lambda: {kind: [] for kind in PEOPLE.values()})
    guard: threading.Lock = field(default_factory=threading.Lock)

    def metrics(self) -> bytes:
        broken = self.broken
        lines = (f'bench_fault{{tier="t{n}"}} {int(n < broken)}\n' for n in range(TIERS))
        return ("# TYPE bench_fault gauge\n" + "".join(lines)).encode()

    def asked(self, path: str, body: bytes) -> bytes:
        text = body.decode().replace("\\n", "\n")  # else the end of one line hides what begins the next
        headline = _headline(json.loads(body))
        many = _MANY.search(headline)
        got = Got(
            CLOCK.now(),
            not headline.startswith(("[OVER]", "[NOTE]", "[HEADS-UP]")),
            int(many[1]) if many else 1,
            frozenset(_ID.findall(text)),
        )
        with self.guard:
            self.got[PEOPLE[path]].append(got)
        return b"ok" if path == "/slack" else b"{}"

    def since(self, kind: str, at: float, *, pages: bool = True) -> list[Got]:
        with self.guard:
            return [one for one in self.got[kind] if one.at >= at and (one.page or not pages)]


def _headline(payload: dict[str, Any]) -> str:
    return str(payload.get("title") or payload.get("text") or payload["data"]["headline"])


@dataclass(slots=True)
class Seen:
    """What one run showed: of each storm."""

    began: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    in_record: list[int] = field(default_factory=list)
    named: list[int] = field(default_factory=list)
    rounds: list[tuple[float, float]] = field(default_factory=list)
    """How long each took, and how much of that was processor time."""


def figures() -> list[Figure]:
    """One run of the daemon, two storms."""
    world, seen = World(), Seen()
    with tempfile.TemporaryDirectory(prefix="fm-paging-") as name, served(world.metrics, world.asked) as port:
        key, rounds = Path(name) / "key", Path(name) / "rounds"
        key.write_text("whsec_" + "cGFnaW5nLXBhZ2luZy1wYWdpbmctcGFnaW5nLXA=", encoding="ascii")
        hook = Path(name) / "slack"
        hook.write_text(f"http://127.0.0.1:{port}/slack", encoding="ascii")
        program = [sys.executable, "-m", "benchmarks.timed", str(rounds)]
        with daemon(settings(port, key, hook), program=program) as running:
            _play(world, seen, running)
        lines = [line.split() for line in rounds.read_text("ascii").splitlines()]
        seen.rounds = [(float(took), float(used)) for _, took, used in lines]
    return _table(world, seen)


def _table(world: World, seen: Seen) -> list[Figure]:
    first = [world.since(kind, at)[0].at - at for at in seen.began for kind in world.got]
    most = {kind: _most(got) for kind, got in world.got.items()}
    took, used = sorted(took for took, _ in seen.rounds), sorted(used for _, used in seen.rounds)
    p99 = round(0.99 * (len(took) - 1))
    growth = seen.megabytes[-1] - seen.megabytes[0]
    return [
        Figure(
            f"{COUNT} incidents in {SPAN} s: first failure -> first page accepted, most of {len(first)}",
            ms(max(first)),
            f"<= {ms(FIRST_MOST)}",
            max(first) <= FIRST_MOST,
            spread(first),
        ),
        Figure(
            "messages to one person in any five minutes, ends included, most",
            str(max(most.values())),
            f"<= {MOST}",
            max(most.values()) <= MOST,
            ", ".join(f"{kind} {count}" for kind, count in most.items()),
        ),
        Figure(
            "incidents counted in the pages of each person, named in those by webhook",
            f"{min(seen.in_record)}, {min(seen.named)}",
            f">= {COUNT}, {COUNT}",
            min(seen.in_record) >= COUNT and set(seen.named) == {COUNT},
            "on a busy machine the daemon pages about itself as well",
        ),
        Figure(
            "resident memory after the first and the second thousand",
            ", ".join(f"{one:.0f} MB" for one in seen.megabytes),
            f"+ <= {GROWTH_MOST:.0f} MB",
            growth <= GROWTH_MOST,
            f"a round of the loop: p99 {ms(took[p99])}, longest {ms(took[-1])}; "
            f"processor {ms(used[p99])}, {ms(used[-1])}",
        ),
    ]


def _most(got: Sequence[Got]) -> int:
    return max(sum(one.at <= other.at < one.at + FIVE_MINUTES for other in got) for one in got)


def _play(world: World, seen: Seen, running: Running) -> None:
    pause = threading.Event()
    pause.wait(5.0)
    for number in range(STORMS):
        if number:
            pause.wait(FIVE_MINUTES)  # so that one storm's messages are not the other's
        began = CLOCK.now()
        seen.began.append(began)
        for second in range(1, SPAN + 1):
            world.broken = COUNT * second // SPAN
            pause.wait(max(0.0, began + second - CLOCK.now()))
        _wait("everybody is told of all", lambda at=began: _told(world, at) >= COUNT)  # type: ignore[misc]
        seen.in_record.append(_told(world, began))
        seen.named.append(len(frozenset().union(*(one.ids for one in world.since("webhook", began)))))
        world.broken = 0
        healed = CLOCK.now()
        _wait("all is over", lambda: _open(running) == 0)
        _wait("everybody hears of the ends", lambda at=healed: _ended(world, at) >= COUNT)  # type: ignore[misc]
        seen.megabytes.append(megabytes(running.pid, "VmRSS"))


def _told(world: World, since: float) -> int:
    """Incidents that whoever was told least was told of."""
    return min(sum(one.told for one in world.since(kind, since)) for kind in world.got)


def _ended(world: World, since: float) -> int:
    ends = {
        kind: [one for one in world.since(kind, since, pages=False) if not one.page] for kind in world.got
    }
    return min(sum(one.told for one in got) for got in ends.values())


def _open(running: Running) -> int:
    """Incidents of the pipeline that are not over, by the daemon's own metrics."""
    text = requests.get(f"{running.url}/metrics", timeout=30).text
    found = re.findall(r'^fleetmend_incidents\{failure_mode="storage_failure".*\} (\S+)$', text, re.MULTILINE)
    return round(sum(map(float, found)))


def _wait(what: str, holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    until = CLOCK.monotonic() + GIVE_UP
    while not holds():
        if CLOCK.monotonic() > until:
            raise RuntimeError(f"not within {GIVE_UP:.0f} s: {what}")
        pause.wait(0.2)


def settings(port: int, key: Path, hook: Path) -> dict[str, Any]:
    """No playbook, and no storm: a thousand pages are owed to each of three people."""
    base = f"http://127.0.0.1:{port}"
    people = {
        "ana": {"webhook": {"url": f"{base}/hook", "secret": {"file": str(key)}}},
        "ben": {"slack": {"url": {"file": str(hook)}}},
        "chloe": {"ntfy": {"url": f"{base}/pages"}},
    }
    return {
        **watching(base),
        "storm": {"share": "100%"},
        "escalation": {"default": [{"level": "L1", "notify": [f"person:{name}" for name in people]}]},
        "remind": {},
        "people": {name: {"name": name.capitalize(), "channels": [way]} for name, way in people.items()},
    }
