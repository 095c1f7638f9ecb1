"""The oracle: alerting rules over written samples, evaluated by promtool; when each of them fired and when it ended.

One call evaluates any number of files. Expected is nothing at all, so that promtool's complaints tell what there was.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config.scope import Scope, scope_of
from config.units import format_duration

_AT = re.compile(r"time: (\S+?),\s*$")
_PIECES = re.compile(r"(\d+)(ms|[smhd])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_LABELS = re.compile(r"\{([^}]*)\}")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_OWN = frozenset({"__name__", "alertname", "alertstate"})


@dataclass(frozen=True)
class Alert:
    """One alerting rule, its name unique, over samples `step` seconds apart, the first at 0.

    `hold`, `keep`: seconds of `for` and `keep_firing_for`. `series`: as PromQL writes it -> its values. `records`:
    recording rules that are evaluated before it.
    """

    name: str
    expr: str
    hold: float
    keep: float
    series: Mapping[str, Sequence[float]]
    step: float
    records: Mapping[str, str] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """How many instants there are."""
        return max(len(values) for values in self.series.values())

    @property
    def files(self) -> dict[str, object]:
        """Rule and test, evaluated at every sample's instant."""
        rule = {
            "alert": self.name,
            "expr": self.expr,
            "for": format_duration(self.hold),
            "keep_firing_for": format_duration(self.keep),
        }
        records = [{"record": name, "expr": expr} for name, expr in self.records.items()]
        asked = [
            {"expr": 'ALERTS{alertstate="firing"}', "eval_time": format_duration(self.step * index)}
            for index in range(self.length)
        ]
        test = {
            "interval": format_duration(self.step),
            "input_series": [
                {"series": series, "values": " ".join(map(repr, values))}
                for series, values in self.series.items()
            ],
            "promql_expr_test": asked,
        }
        return {
            f"{self.name}.rules.yml": {"groups": [{"name": "g", "rules": [*records, rule]}]},
            f"{self.name}.test.yml": {
                "rule_files": [f"{self.name}.rules.yml"],
                "evaluation_interval": format_duration(self.step),
                "tests": [test],
            },
        }


Change = tuple[float, str, Scope]
"""(seconds since the first sample, fired | cleared, the alert's own labels)."""


def changes(alerts: Sequence[Alert], folder: Path) -> dict[str, list[Change]]:
    """By alert, in order of time. `folder`: where to write the files. What never ended has no `cleared`."""
    for alert in alerts:
        for name, content in alert.files.items():
            (folder / name).write_text(json.dumps(content), encoding="utf-8")
    command = ["promtool", "test", "rules", *(f"{alert.name}.test.yml" for alert in alerts)]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    firing = _firing(said.stderr)
    assert firing or said.returncode == 0, said.stderr or said.stdout
    return {alert.name: _changes(alert, firing.get(alert.name, {})) for alert in alerts}


def _firing(text: str) -> dict[str, dict[Scope, set[float]]]:
    """By alert and labels: the instants at which it fired."""
    found: dict[str, dict[Scope, set[float]]] = {}
    at = 0.0
    for line in text.splitlines():
        if when := _AT.search(line):
            at = sum(int(number) * _SECONDS[unit] for number, unit in _PIECES.findall(when[1]))
        elif line.strip().startswith("got:"):
            for labels in _LABELS.findall(line):
                pairs = dict(_LABEL.findall(labels))
                scope = scope_of({name: value for name, value in pairs.items() if name not in _OWN})
                found.setdefault(pairs["alertname"], {}).setdefault(scope, set()).add(at)
    return found


def _changes(alert: Alert, firing: Mapping[Scope, set[float]]) -> list[Change]:
    found: list[Change] = []
    for scope, instants in firing.items():
        before = False
        for index in range(alert.length):
            now = alert.step * index in instants
            if now != before:
                found.append((alert.step * index, "fired" if now else "cleared", scope))
            before = now
    return sorted(found)
