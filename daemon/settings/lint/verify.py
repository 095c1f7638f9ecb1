"""Proof of recovery that cannot come in time."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Check, Found, View, Watched
from remediations.actions.registry import mends
from remediations.spec import Playbook, Rung, RungKind, action_of


def _room(view: View) -> Iterator[Found]:
    for name, playbook in view.settings.playbooks.items():
        for index, rung in enumerate(playbook.ladder):
            judges = _judges(view, playbook, rung)
            if not judges:
                continue
            slowest = max(judges, key=_needed)
            need = _needed(slowest) + rung.verify.hold
            if rung.verify.within < need:
                text = f"verify.within {format_duration(rung.verify.within)} leaves too little time"
                hint = f"window, hold, delay and two scrapes of {slowest.name} need {format_duration(need)} together"
                yield Found(("playbooks", name, "ladder", index, "verify"), text, hint)


def _judges(view: View, playbook: Playbook, rung: Rung) -> list[Watched]:
    """The detectors by which the rung is proved; none where a probe proves it."""
    if not mends(action_of(rung.do)[0]):
        return []
    if rung.kind is RungKind.CONTAIN or (rung.effect is not None and rung.effect.probe is not None):
        return []
    named = rung.effect.detectors if rung.effect is not None else ()
    return [
        one
        for one in view.detectors
        if (one.name in named if named else one.spec.failure_mode == playbook.failure_mode)
    ]


def _needed(one: Watched) -> float:
    return _window(one) + one.delay + 2 * one.interval


def _window(one: Watched) -> float:
    """A source that computes a burn rate knows of no action: its longest short window has to be clean."""
    asked = one.rule.signal.burns if one.spec.signal.pushdown else ()
    return max((burn.short for burn in asked), default=one.window)


def _deadline(view: View) -> Iterator[Found]:
    for name, playbook in view.settings.playbooks.items():
        for index, rung in enumerate(playbook.ladder):
            if rung.verify.within > playbook.deadline and mends(action_of(rung.do)[0]):
                within, deadline = format_duration(rung.verify.within), format_duration(playbook.deadline)
                text = f"verify.within {within} is longer than the playbook's deadline {deadline}"
                hint = "people are paged before it can prove anything: lengthen deadline"
                yield Found(("playbooks", name, "ladder", index, "verify", "within"), text, hint)


ROOM = Check(
    code="verify-too-short",
    title="`verify.within` leaves no room for the proof",
    gravity=Gravity.WARNING,
    why="""After an action only samples taken after it count, and they must be good for `verify.hold` on end. The
first such value is complete after window + `delay` + up to two scrapes, so within >= window + hold + delay + 2 scrapes
for every detector that judges the rung (`effect: {detectors: …}`, else all of the failure mode). With less, a mended
fault counts as not mended, and the next, harsher rung runs. A burn rate is proved over the shortest of its windows, so
that is its window here (with `pushdown`, the longest of the short ones).""",
    fix="Lengthen `verify.within`, or shorten the window or `verify.hold`.",
    example="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 2m}}
    fire: {above: 5%, for: 10m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
managers: {pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}}
playbooks:
  writes:
    failure_mode: ingestion_stopped
    escalation: external
    ladder:
      - name: restart
        do: {service: {manager: pipeline, restart: writer}}
        verify: {within: 3m, hold: 1m}   # <--
""",
    better="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 2m}}
    fire: {above: 5%, for: 10m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
managers: {pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}}
playbooks:
  writes:
    failure_mode: ingestion_stopped
    escalation: external
    ladder:
      - name: restart
        do: {service: {manager: pipeline, restart: writer}}
        verify: {within: 4m, hold: 1m}
""",
    find=_room,
)

DEADLINE = Check(
    code="verify-over-deadline",
    title="`verify.within` is longer than the playbook's `deadline`",
    gravity=Gravity.WARNING,
    why="""At `deadline` without a verified recovery people are paged whatever the ladder does, and once they are, no
new rung starts. A rung whose proof alone takes longer pages even when it works.""",
    fix="Make `deadline` longer than the proof of the first rungs, or prove faster.",
    example="""managers: {pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}}
playbooks:
  writes:
    failure_mode: ingestion_stopped
    escalation: external
    deadline: 5m
    ladder:
      - name: restart
        do: {service: {manager: pipeline, restart: writer}}
        verify: {within: 10m, hold: 1m}   # <--
""",
    better="""managers: {pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}}
playbooks:
  writes:
    failure_mode: ingestion_stopped
    escalation: external
    deadline: 15m
    ladder:
      - name: restart
        do: {service: {manager: pipeline, restart: writer}}
        verify: {within: 10m, hold: 1m}
""",
    find=_deadline,
)
