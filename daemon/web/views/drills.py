"""The newest drill of each playbook, as the Playbooks page shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from daemon.incidents.drills import Drill, DrillState, Grade
from daemon.web.views.looks import Look
from daemon.web.views.reader import labels

MOST_TOLD = 5
"""Failures on the page; the command line has them all."""
_LOOKS = {
    DrillState.PASSED: Look("healthy", "passed"),
    DrillState.FAILED: Look("firing", "failed"),
    DrillState.REFUSED: Look("unknown", "not begun"),
}
UNDER_WAY = Look("acting", "under way")


@dataclass(frozen=True, slots=True)
class Last:
    """`at`: unix seconds; `failed`: what would not have worked, in words."""

    look: Look
    passed: int
    asked: int
    at: float
    by: str
    failed: tuple[str, ...]
    more: int


def last_of_each(newest: Iterable[Drill]) -> Mapping[str, Last]:
    """By playbook. `newest`: the newest first."""
    found: dict[str, Last] = {}
    for row in newest:
        if row.playbook not in found:
            failed = tuple(_failed(row))
            score, look = row.score, _LOOKS.get(row.state, UNDER_WAY)
            shown, more = failed[:MOST_TOLD], max(0, len(failed) - MOST_TOLD)
            found[row.playbook] = Last(look, *score, row.ended_at or row.at, row.who, shown, more)
    return found


def _failed(row: Drill) -> Iterator[str]:
    if row.note:
        yield row.note
    for part in row.scopes:
        for rung, checks in (("", part.checks), *((f"{one.name}, ", one.checks) for one in part.rungs)):
            for check in checks:
                if check.grade is Grade.FAILED:
                    where = labels(dict(part.scope)) or "whole pipeline"
                    yield f"{where}: {rung}{check.name}: {check.text}"
