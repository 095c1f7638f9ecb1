"""Drills as tables: a headline, then per scope what is broken or held in words, and what passed as a count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.table import Table
from rich.text import Text

from daemon.cli import output
from daemon.cli.show import scope_text, when
from daemon.desk.drills import Drill, DrillRung, Drills

_STYLE: Mapping[str, str] = {
    "passed": "green",
    "held": "yellow",
    "failed": "bold red",
    "refused": "bold red",
    "unasked": "dim",
}
TOLD = frozenset({"failed", "held"})


def rendered(model: Drill) -> Iterator[Text | Table]:
    """One drill."""
    yield Text.assemble(f"{model.playbook}: ", _word(model.state), f", {_score(model)}")
    if model.note:
        yield Text(model.note)
    for part in model.scopes:
        yield Text(f"\n{scope_text(part.scope)}", style="bold")
        table = output.table("what", "grade", "checks", "answer")
        for check in part.checks:
            table.add_row(check.name, _word(check.grade), "", check.text)
        for number, rung in enumerate(part.rungs, start=1):
            good = sum(check.grade == "passed" for check in rung.checks)
            asked = sum(check.grade != "unasked" for check in rung.checks)
            table.add_row(f"{number}. {rung.name}", _word(rung.grade), f"{good} of {asked}", _answers(rung))
        yield table


def listed(model: Drills) -> Iterator[Text | Table]:
    """The newest first, a line each, and what failed."""
    if not model.drills:
        yield Text("no drills")
        return
    table = output.table("drill", "playbook", "at", "by", "result", "checks", "what failed")
    for row in model.drills:
        table.add_row(
            row.id, row.playbook, when(row.at), row.by, _word(row.state), _score(row), "\n".join(_failed(row))
        )
    yield table


def _failed(row: Drill) -> Iterator[str]:
    if row.note:
        yield row.note
    for part in row.scopes:
        for rung, checks in (("", part.checks), *((f"{r.name} ", r.checks) for r in part.rungs)):
            for check in checks:
                if check.grade == "failed":
                    yield f"{scope_text(part.scope)}: {rung}{check.name}: {check.text}"


def _answers(rung: DrillRung) -> str:
    """What is not as it should be; where all is well, what would be acted upon."""
    told = [check for check in rung.checks if check.grade in TOLD or rung.grade == "unasked"]
    shown = told or [check for check in rung.checks if check.name in {"do", "guardrails"}]
    return "\n".join(f"{check.name}: {check.text}" for check in shown)


def _score(model: Drill) -> str:
    return f"{model.score.passed} of {model.score.asked} checks passed"


def _word(grade: str) -> Text:
    return Text(grade, style=_STYLE.get(grade, ""))
