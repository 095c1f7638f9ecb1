"""What a configuration asks of detection: rules, what each source is wanted for, which probes and units are witnesses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from config.probes import ProbeSpec
from daemon.detect.inventory import scope_labels
from daemon.detect.sources.base import Query, Wanted
from daemon.detect.witnesses import NEXT_STAGE
from detectors.promql import look_back, pushdown, wanted_by
from detectors.rule import Rule, Signal, rule_of
from detectors.samples import UP
from detectors.spec import Detectors, Inventory, PrometheusSource, ScrapeSource, Telemetry
from remediations.spec import Limits
from remediations.verification import LATE

_KEPT_BEYOND = 900.0
"""Seconds of samples kept beyond what rules look back, so that readings after an action reach its end.

As many are read back after a start: a counter that was away for less than that went on, and did not begin.
"""
_FIRST_TIMEOUT = 30.0
_TIMEOUT = 10.0
_SLACK = 1.0


@dataclass(frozen=True, slots=True)
class Sections:
    """The parts of the configuration that detection is built from. `poll_interval`: seconds."""

    telemetry: Telemetry
    detectors: Detectors
    inventory: Inventory = field(default_factory=Inventory)
    probes: Mapping[str, ProbeSpec] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    poll_interval: float = 15.0
    variables: Mapping[str, Any] = field(default_factory=dict)
    proof: float = 0.0
    """The longest hold over which a recovery is proved, in seconds: for so long it has to be seen."""


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """How one source is polled. `hold`: seconds it may give nothing before it counts as down."""

    name: str
    every: float
    wanted: Wanted
    interval: float | None
    hold: float
    first_timeout: float
    timeout: float
    delay: float = 0.0
    has_history: bool = False

    @property
    def retention(self) -> float:
        """Seconds of samples that are kept: as many as are read back after a start."""
        return self.wanted.look_back


@dataclass(frozen=True, slots=True)
class Plan:
    """Rules by detector name (enabled ones), how sources are polled, and the labels each probe is asked about."""

    rules: Mapping[str, Rule]
    sources: Mapping[str, SourcePlan]
    probe_labels: Mapping[str, frozenset[str]]
    default: str
    sections: Sections

    @property
    def probe_signals(self) -> tuple[str, ...]:
        """Probes that are signals of their own."""
        return tuple(sorted({r.signal.text for r in self.rules.values() if r.signal.kind == "probe"}))


def plan_of(sections: Sections) -> Plan:
    """The plan of a checked configuration."""
    default = next(iter(sections.telemetry), "")
    rules: dict[str, Rule] = {}
    for name, spec in sections.detectors.items():
        if spec.enabled:
            step = _every(sections, spec.source or default)
            rule = rule_of(name, spec, default_source=default, step=step)
            rules[name] = replace(rule, signal=pushed_down(rule.signal)) if spec.signal.pushdown else rule
    labels = {name: scope_labels(spec) for name, spec in sections.probes.items()}
    sources = {
        name: _source(
            name, sections, [rule for rule in rules.values() if rule.source == name], name == default
        )
        for name in sections.telemetry
    }
    return Plan(rules, sources, labels, default, sections)


def pushed_down(signal: Signal) -> Signal:
    """The same quantity as a query, for the source to compute."""
    text = pushdown(signal)
    return Signal("promql", (f"promql:{hashlib.sha256(text.encode()).hexdigest()[:16]}",), text=text)


def _every(sections: Sections, source: str) -> float:
    """A scrape's own `every` where it is written down, else the poll interval."""
    spec = sections.telemetry.get(source)
    if isinstance(spec, ScrapeSource) and "every" in spec.model_fields_set:
        return spec.every
    return sections.poll_interval


def _source(name: str, sections: Sections, rules: list[Rule], is_default: bool) -> SourcePlan:
    spec = sections.telemetry[name]
    every = _every(sections, name)
    interval = spec.scrape_interval if isinstance(spec, PrometheusSource) else None
    signals = [s for rule in rules for s in (rule.signal, *((rule.gate.signal,) if rule.gate else ()))]
    names = {item.name for rule in rules for item in wanted_by(rule)}
    for rule in rules:
        if rule.corroborate is not None:
            names |= {*NEXT_STAGE.get(rule.mode, ())}
    suspended = sections.inventory.suspended
    if suspended is not None and (suspended.source == name or (suspended.source is None and is_default)):
        names.add(suspended.of)
    queries = {s.of[0]: Query(s.of[0], s.text) for s in signals if s.kind == "promql"}
    back = max((look_back(rule, interval or every) for rule in rules), default=60.0)
    beyond = max(_KEPT_BEYOND, sections.proof + LATE + 2 * every)
    scrape = spec.timeout + _SLACK if isinstance(spec, ScrapeSource) else None
    return SourcePlan(
        name=name,
        every=every,
        wanted=Wanted(frozenset(names - {UP}), tuple(queries.values()), back + beyond, every),
        interval=interval,
        hold=min((rule.no_data_for for rule in rules), default=300.0),
        first_timeout=scrape or _FIRST_TIMEOUT,
        timeout=scrape or _TIMEOUT,
        delay=spec.delay if isinstance(spec, PrometheusSource) else 0.0,
        has_history=not isinstance(spec, ScrapeSource),
    )
