"""A demonstration stack as the outside sees it, and what its counters say."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from demo import clock
from demo.effects import merged
from demo.service import wait_for
from demo.settings import Stack
from demo.supervise import Manager

ROOT = Path(__file__).parents[3]
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')
Series = tuple[str, frozenset[tuple[str, str]]]


@dataclass
class Pipeline:
    """A stack as the outside sees it: its command, its /metrics, its admin calls, its logs."""

    state: Path
    targets: list[str] = field(default_factory=list)

    def command(self, *words: str) -> str:
        argv = [sys.executable, "-m", "demo", *words, "--state", str(self.state)]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def stack(self) -> Stack:
        return Stack.load(self.state)

    @property
    def manager(self) -> Manager:
        return Manager(self.stack.socket)

    def scrape(self) -> dict[Series, float]:
        """Every sample of every process that serves."""
        found: dict[Series, float] = {}
        for target in self.targets:
            try:
                text = requests.get(target, timeout=0.5).text
            except requests.RequestException:
                continue
            for line in text.splitlines():
                if match := SAMPLE.match(line):
                    found[match[1], frozenset(LABEL.findall(match[2] or ""))] = float(match[3])
        return found

    def grown(self, seconds: float = 1.5) -> Callable[..., float]:
        """How much counters grow from now on within some seconds, summed over the series with these labels."""
        before = self.scrape()
        clock.pause(seconds)
        after = self.scrape()

        def growth(name: str, **labels: str) -> float:
            wanted = set(labels.items())
            return sum(
                value - before.get(key, 0.0)
                for key, value in after.items()
                if key[0] == name and wanted <= key[1]
            )

        return growth

    def becomes(self, truth: Callable[[Callable[..., float]], bool], within: float = 15.0) -> bool:
        return wait_for(lambda: truth(self.grown()), within)

    def post(self, program: str, path: str, content: dict[str, Any], key: str = "test") -> requests.Response:
        return requests.post(
            self.stack.url(program) + path, json=content, headers={"Idempotency-Key": key}, timeout=5
        )

    def health(self, program: str) -> dict[str, Any]:
        return dict(requests.get(self.stack.url(program) + "/health", timeout=5).json())

    def rows(self, **wanted: object) -> list[dict[str, Any]]:
        return [row for row in merged(self.state / "effects") if wanted.items() <= row.items()]


def error_share(growth: Callable[..., float], of: str, to: str, **labels: str) -> float:
    attempts = growth(to, **labels)
    return growth(of, **labels) / attempts if attempts else 0.0


def write_errors(growth: Callable[..., float], tier: str) -> float:
    return error_share(
        growth, "telemetry_storage_write_errors_total", "telemetry_storage_writes_total", tier=tier
    )


def failed_mappings(growth: Callable[..., float], provider: str) -> float:
    failed = growth("telemetry_transformation_mappings_failed_total", provider=provider)
    return failed / max(
        1.0, failed + growth("telemetry_transformation_mappings_applied_total", provider=provider)
    )


def slow_live(growth: Callable[..., float]) -> float:
    name = "telemetry_api_request_duration_seconds"
    count = growth(f"{name}_count", endpoint="live")
    return 1 - growth(f"{name}_bucket", endpoint="live", le="0.5") / count if count else 1.0
