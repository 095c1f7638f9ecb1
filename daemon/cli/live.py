"""`check --live`: asks every telemetry source whether the series that the detectors need are there."""

from __future__ import annotations

from config.loader import Loaded
from config.problems import Problem
from daemon.app.build import sections_of
from daemon.detect.plan import SourcePlan, plan_of
from daemon.detect.sources.registry import build_sources
from daemon.settings.model import Settings
from detectors.promql import wanted_by
from detectors.rule import Rule
from detectors.samples import Failed
from remediations.ports import Clock, Http


def check_live(loaded: Loaded[Settings], http: Http, clock: Clock) -> list[Problem]:
    """One problem per source that does not answer, and per detector some of whose series are not there.

    A counter of failures that were never counted may be missing from a healthy system: such a finding is a question
    to the reader, and the answer to `check --live` is "no" until it is there.
    """
    settings = loaded.model
    plan = plan_of(sections_of(settings))
    sources = build_sources(settings.telemetry, http, clock, max_bytes=settings.limits.response)
    before = len(loaded.problems)
    for name, planned in plan.sources.items():
        rules = [rule for rule in plan.rules.values() if rule.source == name and rule.signal.kind != "probe"]
        if not rules:
            continue
        deadline = clock.monotonic() + planned.first_timeout
        batch = sources[name].fetch(planned.wanted, None, clock.now(), deadline)
        if isinstance(batch, Failed):
            loaded.problem(("telemetry", name), f"the source gave nothing: {batch.reason}")
            continue
        for warning in batch.warnings:
            loaded.problem(("telemetry", name), f"the source warns: {warning}")
        found = {series.name for block in batch.blocks for series in block.series}
        for rule in rules:
            _series(loaded, rule, planned, found)
    return loaded.problems[before:]


def _series(loaded: Loaded[Settings], rule: Rule, planned: SourcePlan, found: set[str]) -> None:
    missing = sorted({wanted.name for wanted in wanted_by(rule)} - found)
    if missing:
        names = ", ".join(missing)
        hint = "check the metric's name, or whether it was ever counted"
        loaded.problem(("detectors", rule.name, "signal"), f"source {planned.name} returns no {names}", hint)
