"""Rungs that tell people or wait: what is written on them to no effect, and waits that nobody sees the end of."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Check, Found, View
from remediations.actions.registry import mends
from remediations.actions.wait import KIND as WAIT
from remediations.actions.wait import WaitArgs
from remediations.spec import Playbook, Rung, action_of

USELESS = ("effect", "confirm", "undo", "verify")
"""Keys that are about whether an action mended anything."""


def _useless(view: View) -> Iterator[Found]:
    for path, rung, _ in _aside(view):
        for key in USELESS:
            if key in rung.model_fields_set:
                text = f"{rung.name} mends nothing, so {key} is never looked at"
                yield Found((*path, key), text, f"leave {key} out")


def _long(view: View) -> Iterator[Found]:
    for path, rung, playbook in _aside(view):
        kind, written = action_of(rung.do)
        if kind != WAIT:
            continue
        try:
            seconds = WaitArgs.model_validate(written).for_
        except ValidationError:
            continue  # reported where actions are checked
        if seconds >= playbook.deadline:
            length, deadline = format_duration(seconds), format_duration(playbook.deadline)
            text = f"{rung.name} waits {length}, and people are paged {deadline} after detection"
            yield Found((*path, "do", WAIT, "for"), text, "once they are, no rung is begun: wait shorter")


def _elsewhere(view: View) -> Iterator[Found]:
    for name, playbook in view.settings.playbooks.items():
        for place, do in playbook.actions():
            parts = [int(part) if part.isdigit() else part for part in place.split(".")]
            if action_of(do)[0] == WAIT and parts[2:] != ["do"]:
                hint = "a return has `after` for that; an undo is followed by the next rung at once"
                yield Found(("playbooks", name, *parts), "a wait is over at once except on the ladder", hint)


def _aside(view: View) -> Iterator[tuple[tuple[str | int, ...], Rung, Playbook]]:
    for name, playbook in view.settings.playbooks.items():
        for index, rung in enumerate(playbook.ladder):
            if not mends(action_of(rung.do)[0]):
                yield ("playbooks", name, "ladder", index), rung, playbook


BOOK = """playbooks:
  writes:
    failure_mode: ingestion_stopped
    escalation: external
    deadline: 15m
    ladder:
      - name: settle
        do: {wait: {for: %s}}%s
"""

UNUSED = Check(
    code="never-verified",
    title="A rung that mends nothing says how it is verified",
    gravity=Gravity.WARNING,
    why="""A rung that tells people or waits (`notify`, `wait`) mends nothing: it is not verified, has no effect of its own,
and the climb goes on after it. `effect`, `confirm`, `undo` and `verify` are never looked at there.""",
    fix="Leave them out; `return` is what takes a message back once all is well.",
    example=BOOK % ("2m", "\n        verify: {within: 5m, hold: 1m}   # <--"),
    better=BOOK % ("2m", ""),
    find=_useless,
)
LONG = Check(
    code="wait-over-deadline",
    title="A `wait` is longer than the playbook's `deadline`",
    gravity=Gravity.WARNING,
    why="""At `deadline` without a verified recovery people are paged whatever the ladder does, and once they are, no new
rung starts. A rung behind a wait that ends after the deadline is never reached.""",
    fix="Wait shorter, or make `deadline` longer than the waits and the rungs behind them need.",
    example=(BOOK % ("15m", "")).replace("15m}}", "15m}}   # <--"),
    better=BOOK % ("2m", ""),
    find=_long,
)
ELSEWHERE = Check(
    code="wait-off-ladder",
    title="A `wait` stands where nothing waits for it",
    gravity=Gravity.WARNING,
    why="""What a `wait` puts off is the next rung: its end is the due time of the run. In an `undo` or a `return` there is no
next rung, and it is over at once.""",
    fix="A `return` and each step of its `then` has `after`, the time before it.",
    example="""managers: {pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}}
playbooks:
  writes:
    failure_mode: ingestion_stopped
    escalation: external
    ladder:
      - name: restart
        do: {service: {manager: pipeline, restart: writer}}
        undo: {wait: {for: 2m}}   # <--
""",
    better="""managers: {pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}}
playbooks:
  writes:
    failure_mode: ingestion_stopped
    escalation: external
    ladder:
      - name: restart
        do: {service: {manager: pipeline, restart: writer}}
""",
    find=_elsewhere,
)
