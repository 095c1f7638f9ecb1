"""What a living daemon is configured with: a file, secrets, tokens, a port."""

from __future__ import annotations

import hashlib
import os
import random
import socket
from pathlib import Path
from typing import Any

from tests.fakes.pagerduty import ROUTING_KEY
from tests.fakes.plant import HOOK_SECRET, Plant

TOKENS = {role: f"fm_living-token-of-the-{role}-0123456789" for role in ("viewer", "operator", "admin")}


def environment() -> dict[str, str]:
    """What the configuration's secrets are read from."""
    return {
        "PATH": os.environ["PATH"],
        "PD_ANA": ROUTING_KEY,
        "HOOK_SECRET": HOOK_SECRET,
        **{f"{role.upper()}_SHA": hashlib.sha256(text.encode()).hexdigest() for role, text in TOKENS.items()},
    }


def config_for(plant: Plant, folder: Path, port: int) -> dict[str, Any]:
    """One detector, one rung that fails over, and people: everything within a second or two."""
    admin = f"{plant.url}/tiers/hot"
    return {
        "version": 1,
        "environment": "test",
        "autonomy": "auto",
        "state": f"sqlite:///{folder / 'state.db'}",
        "listen": f"127.0.0.1:{port}",
        "poll_interval": "0.25s",
        "pack": "none",
        "kill_switch": str(folder / "pause"),
        "telemetry": {
            "plant": {
                "type": "scrape",
                "targets": [f"{plant.url}/metrics"],
                "every": "0.25s",
                "timeout": "2s",
            }
        },
        "detectors": {
            "plant-fault": {
                "failure_mode": "storage_failure",
                "signal": {"gauge": {"of": "plant_fault", "by": ["tier"]}},
                "fire": {"above": 0.5, "for": "0.5s"},
                "clear": {"below": 0.5, "for": "0.5s"},
                "no_data": {"for": "60s"},
                "fresh_within": "3s",
            }
        },
        "probes": {
            "health": {"http": {"url": f"{plant.url}/tiers/{{{{ scope.tier }}}}/health", "timeout": "2s"}}
        },
        "playbooks": {
            "storage": {
                "failure_mode": "storage_failure",
                "diagnose": {"health": {"probe": "health"}},
                "ladder": [
                    {
                        "name": "fail-over",
                        "kind": "cure",
                        "require": "facts.health.body.replica_lag_s < 30",
                        "do": {
                            "http": {
                                "method": "POST",
                                "url": f"{admin}/failover",
                                "expect": "2xx",
                                "timeout": "3s",
                            }
                        },
                        "on_interrupt": "probe",
                        "confirm": {"probe": "health", "ok": "body.active == 'replica'"},
                        "verify": {"within": "2s", "hold": "0.5s"},
                        "autonomy": "auto",
                    }
                ],
                "guardrails": {"cooldown": "1s", "budget": "20 per 1h", "wait_up_to": "5s"},
                "deadline": "60s",
            }
        },
        "people": {
            "ana": {"name": "Ana", "channels": [{"pagerduty": {"routing_key": {"env": "PD_ANA"}}}]},
            "ben": {
                "name": "Ben",
                "channels": [{"webhook": {"url": f"{plant.url}/hook", "secret": {"env": "HOOK_SECRET"}}}],
            },
        },
        "channels": {"pagerduty": {"url": plant.url}},
        "escalation": {
            "default": [
                {"level": "L1", "notify": ["person:ana"]},
                {"level": "L2", "after": {"critical": "15m"}, "notify": ["person:ben"]},
            ]
        },
        "tokens": [{"name": role, "role": role, "sha256": {"env": f"{role.upper()}_SHA"}} for role in TOKENS],
    }


def free_port() -> int:
    """A port nobody listens at, below those that outgoing connections take."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:] or 0) % 10
    while True:
        port = 20_000 + 1_000 * worker + random.randrange(1_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
