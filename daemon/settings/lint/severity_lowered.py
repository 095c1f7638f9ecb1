"""A severity below that of the failure mode."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.section import SEVERITY_OF
from daemon.settings.lint.check import Check, Found, View


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        own, asked = SEVERITY_OF[one.spec.failure_mode], one.spec.severity
        if asked is not None and asked != one.rule.severity:
            text = f"severity {asked} is below the {own} of {one.spec.failure_mode}, and stays {own}"
            yield Found((*one.path, "severity"), text, "leave it out; a detector may only raise it")


CHECK = Check(
    code="severity-lowered",
    title="`severity` is below that of the failure mode",
    gravity=Gravity.WARNING,
    why="""Every failure mode has a severity of its own, and a detector may raise it but not lower it: the clock by
which people are told must not depend on which detector saw the fault first. The lower one is not applied.""",
    fix="Leave it out, or change the times of `escalation` for that severity.",
    example="""detectors:
  silent:
    failure_mode: ingestion_stopped
    severity: low   # <--
    signal: {increase: {of: packets_total, window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
""",
    better="""detectors:
  silent:
    failure_mode: ingestion_stopped
    signal: {increase: {of: packets_total, window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
""",
    find=_find,
)
