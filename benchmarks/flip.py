"""From a fault in the telemetry to the start of its mitigation, with the real daemon polling once a second.

A small server shows one gauge a scope, and takes the mitigation's call. A scope is broken at forty evenly spaced
phases of a second; what counts is the time until the call arrives, and of that the part since the scrape that showed it.
"""

from __future__ import annotations

import statistics
import threading
from dataclasses import dataclass, field
from typing import Any

from benchmarks.child import daemon
from benchmarks.figure import Figure, ms, spread
from benchmarks.served import served, watching
from daemon.clock import SystemClock

PHASES = 40
POLL = 1.0
FETCH_TO_START = 0.050
MEDIAN, MOST = 0.60, 1.15
GIVE_UP = 15.0
CLOCK = SystemClock()


@dataclass(slots=True)
class World:
    """What the telemetry shows and what was called. Instants are monotonic seconds."""

    broken: set[int] = field(default_factory=set)
    shown: dict[int, float] = field(default_factory=dict)
    """Scope -> the first scrape that showed it broken."""
    mended: dict[int, float] = field(default_factory=dict)
    """Scope -> arrival of the mitigation's call."""
    called: threading.Event = field(default_factory=threading.Event)

    def metrics(self) -> bytes:
        broken = set(self.broken)
        for scope in broken:
            self.shown.setdefault(scope, CLOCK.monotonic())
        lines = (f'bench_fault{{tier="t{n}"}} {int(n in broken)}\n' for n in range(PHASES))
        return ("# TYPE bench_fault gauge\n" + "".join(lines)).encode()

    def asked(self, path: str, body: bytes) -> None:
        del body
        scope = int(path.rpartition("/t")[2])
        self.mended.setdefault(scope, CLOCK.monotonic())
        self.broken.discard(scope)
        self.called.set()


def figures() -> list[Figure]:
    """All phases, one after the other."""
    world = World()
    flips: dict[int, float] = {}
    with served(world.metrics, world.asked) as port, daemon(settings(port)):
        pause = threading.Event()
        pause.wait(3 * POLL)
        begin = CLOCK.monotonic()
        for scope in range(PHASES):
            phase = begin + 2 * POLL * scope + POLL * scope / PHASES
            begin += max(0.0, CLOCK.monotonic() - phase)
            pause.wait(max(0.0, begin + 2 * POLL * scope + POLL * scope / PHASES - CLOCK.monotonic()))
            world.called.clear()
            flips[scope] = CLOCK.monotonic()
            world.broken.add(scope)
            if not world.called.wait(GIVE_UP):
                return [
                    Figure(
                        "flip -> mitigation started",
                        f"phase {scope}: nothing within {GIVE_UP:.0f} s",
                        "started",
                        met=False,
                    )
                ]
    whole = sorted(world.mended[n] - at for n, at in flips.items())
    since_fetch = [world.mended[n] - world.shown[n] for n in flips]
    median = statistics.median(whole)
    return [
        Figure(
            f"flip -> mitigation started, {PHASES} phases, poll {POLL:g} s",
            spread(whole),
            f"median <= {ms(MEDIAN)}, max <= {ms(MOST)}",
            median <= MEDIAN and whole[-1] <= MOST,
            "Prometheus 1 s + Alertmanager, group_wait 0: median 908 ms, max 1813 ms",
        ),
        Figure(
            "of that, end of the fetch -> mitigation started",
            spread(since_fetch),
            f"max <= {ms(FETCH_TO_START)}",
            max(since_fetch) <= FETCH_TO_START,
        ),
    ]


def settings(port: int) -> dict[str, Any]:
    """One detector without a hold, one playbook with one call; nothing is held back by an earlier scope."""
    base = f"http://127.0.0.1:{port}"
    rung = {
        "name": "mend",
        "do": {"http": {"method": "POST", "url": f"{base}/mend/{{{{ scope.tier }}}}", "expect": "2xx"}},
        "verify": {"within": "10s", "hold": "1s"},
        "on_interrupt": "rerun",
        "autonomy": "auto",
    }
    guardrails = {"cooldown": "0s", "budget": "1000 per 1h", "blast_radius": {"max_scopes": 100}}
    return {
        **watching(base),
        "playbooks": {
            "bench": {
                "failure_mode": "storage_failure",
                "ladder": [rung],
                "guardrails": guardrails,
                "deadline": "5m",
            }
        },
        "escalation": {"default": [{"level": "L1", "notify": ["person:nobody"]}]},
        "people": {"nobody": {"name": "Nobody", "channels": [{"console": {}}]}},
        "limits": {"in_flight": 8, "in_flight_per_target": 8},
    }
