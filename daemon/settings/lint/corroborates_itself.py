"""A witness who is the accuser."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        corroborate = one.spec.corroborate
        key = "any" if corroborate is not None and corroborate.any_ else "all"
        for index, witness in enumerate(corroborate.witnesses if corroborate is not None else ()):
            if witness.detector == one.name:
                path = (*one.path, "corroborate", key, index)
                yield Found(
                    path, "it is its own witness, so it always agrees", "name another detector or a probe"
                )


CHECK = Check(
    code="corroborates-itself",
    title="A detector is its own witness",
    gravity=Gravity.WARNING,
    why="""`corroborate` lets a finding lead to action only when an independent witness agrees. A detector that names
itself always agrees with itself, so the guard is open, and it is the guard of findings that rest on silence.""",
    fix="Name a probe, a manager's unit, or a detector of another signal.",
    example="""detectors:
  silent:
    failure_mode: ingestion_stopped
    signal: {increase: {of: packets_total, window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
    corroborate: {any: [{detector: silent, is: firing}]}   # <--
""",
    better="""detectors:
  silent:
    failure_mode: ingestion_stopped
    signal: {increase: {of: packets_total, window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
    corroborate: {any: [{probe: consumer, is: failing}]}
probes:
  consumer: {http: {url: "http://consumer:8080/health"}}
""",
    find=_find,
)
