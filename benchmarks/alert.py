"""From an alert posted to the start of a command that disturbs nothing, every guardrail's answer in the trace."""

from __future__ import annotations

import statistics
import threading
from pathlib import Path
from typing import Any

import requests

from benchmarks.child import Running, daemon
from benchmarks.figure import Figure, ms, spread
from benchmarks.flip import World
from benchmarks.served import served
from daemon.clock import SystemClock

ALERTS = 30
MEDIAN = 0.050
GAP = 0.6
"""Seconds between alerts: of those before only a few are still in verification, below every cap."""
GUARDRAILS = 15
GIVE_UP = 10.0
TOUCH = "/usr/bin/touch"
CLOCK = SystemClock()


def figures() -> list[Figure]:
    """One alert after the other, each about another endpoint."""
    world = World()
    with served(world.metrics, world.asked) as port, daemon(settings(port)) as running:
        took = [_one(running, number) for number in range(ALERTS)]
        traced = _traced(running)
    median = statistics.median(took)
    return [
        Figure(
            f"alert posted -> command started, {ALERTS} alerts",
            spread(took),
            f"median <= {ms(MEDIAN)}",
            median <= MEDIAN and traced == {GUARDRAILS},
            f"guardrails in each trace: {', '.join(map(str, sorted(traced)))}",
        )
    ]


def _one(running: Running, number: int) -> float:
    """Seconds from the post to the time stamp of the file that the command makes."""
    labels = {"alertname": "BenchAlert", "endpoint": f"e{number}"}
    marker = running.folder / f"e{number}"
    pause = threading.Event()
    pause.wait(GAP + 0.013 * (number % 7))
    began = CLOCK.now()
    requests.post(f"{running.url}/api/v2/alerts", json=[{"labels": labels}], timeout=5).raise_for_status()
    for _ in range(int(GIVE_UP / 0.002)):
        if marker.exists():
            return marker.stat().st_mtime - began
        pause.wait(0.002)
    raise RuntimeError(f"no command within {GIVE_UP:.0f} s; log: {_tail(running.folder / 'log')}")


def _traced(running: Running) -> set[int]:
    """How many guardrails answered, over all incidents."""
    listed = requests.get(f"{running.url}/api/v1/incidents", params={"limit": ALERTS}, timeout=5).json()[
        "incidents"
    ]
    traces = [
        requests.get(f"{running.url}/api/v1/incidents/{one['id']}/explain", timeout=5) for one in listed
    ]
    return {len(trace.json()["gates"]) for trace in traces if trace.ok}


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-1500:]


def settings(port: int) -> dict[str, Any]:
    """An inbox, one playbook with one command, and telemetry in which all is well."""
    rung = {
        "name": "collect",
        "do": {"command": {"argv": [TOUCH, "{{ vars.folder }}/{{ scope.endpoint }}"], "disruptive": False}},
        "verify": {"within": "2s", "hold": "1s"},
        "on_interrupt": "rerun",
        "autonomy": "auto",
    }
    guardrails = {"cooldown": "0s", "budget": "1000 per 1h", "blast_radius": {"max_scopes": 1000}}
    return {
        "autonomy": "auto",
        "pack": "none",
        "poll_interval": "1s",
        "telemetry": {
            "main": {"type": "scrape", "targets": [f"http://127.0.0.1:{port}/metrics"], "every": "1s"}
        },
        "detectors": {
            "quiet": {
                "failure_mode": "storage_failure",
                "signal": {"gauge": {"of": "bench_fault", "by": ["tier"]}},
                "fire": {"above": 0.5, "for": "5s"},
            }
        },
        "inbox": {
            "alertmanager": {
                "map": [
                    {
                        "match": {"alertname": "BenchAlert"},
                        "failure_mode": "api_degradation",
                        "scope": ["endpoint"],
                    }
                ]
            }
        },
        "topology": {"shared_cause": "100%"},
        "playbooks": {
            "bench": {
                "failure_mode": "api_degradation",
                "ladder": [rung],
                "guardrails": guardrails,
                "deadline": "1h",
            }
        },
        "escalation": {"default": [{"level": "L1", "notify": ["person:nobody"]}]},
        "people": {"nobody": {"name": "Nobody", "channels": [{"console": {}}]}},
        "limits": {"in_flight": 8, "in_flight_per_target": 8},
    }
