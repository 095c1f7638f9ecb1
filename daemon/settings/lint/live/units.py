"""Process managers that do not answer, and units that they do not know."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Found
from daemon.settings.lint.live.seen import LiveCheck, Sight

_RUNG = """playbooks:
  storage:
    failure_mode: storage_failure
    escalation: external
    ladder:
"""
_PIPELINE = 'managers: {pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}}\n'


def _silent(sight: Sight) -> Iterator[Found]:
    told: set[str] = set()
    for unit in sight.units:
        if unit.silent and unit.manager not in told:
            told.add(unit.manager)
            text = f"nobody could be asked: {unit.said}"
            yield Found(("managers", unit.manager), text, "check its address, its rights and that it runs")


def _unknown(sight: Sight) -> Iterator[Found]:
    for unit in sight.units:
        if unit.unknown:
            text = f"{unit.manager} cannot tell of {unit.name}: {unit.said}"
            yield Found(unit.path, text, "name a unit that it knows, and may look at")


SILENT = LiveCheck(
    code="manager-silent",
    title="A process manager does not answer",
    gravity=Gravity.ERROR,
    why="""Every rung that goes through it fails, and its word never corroborates: detectors that have no other witness find,
page, and take no disruptive action.""",
    fix="Check the address or the path, the rights to its socket, the token, the certificate, and that it runs.",
    sees="no answer",
    asked="the manager `old`",
    example=f"""managers:
  old: {{type: docker, url: "http://127.0.0.1:2375"}}   # <--
{_RUNG}      - {{name: restart-writer, do: {{service: {{manager: old, restart: storage-writer-hot}}}}}}
""",
    better=f"""{_PIPELINE}{_RUNG}      - {{name: restart-writer, do: {{service: {{manager: pipeline, restart: storage-writer-hot}}}}}}
""",
    find=_silent,
)

UNKNOWN = LiveCheck(
    code="unit-unknown",
    title="A process manager does not know a unit",
    gravity=Gravity.WARNING,
    why="""A rung that restarts what its manager does not know fails when it is needed. A witness that the manager does not know
says nothing, ever: neither that it runs nor that it is down. Names with `{{ scope.X }}` are tried with every value that
`inventory` lists.""",
    fix="Write the name as the manager has it, and let the daemon look at that unit.",
    sees="the state of `storage-writer-hot`, and of nothing else",
    asked="the manager",
    example=f"""{_PIPELINE}{_RUNG}      - {{name: restart-writer, do: {{service: {{manager: pipeline, restart: writer-hot}}}}}}   # <--
""",
    better=f"""{_PIPELINE}{_RUNG}      - {{name: restart-writer, do: {{service: {{manager: pipeline, restart: storage-writer-hot}}}}}}
""",
    find=_unknown,
)
