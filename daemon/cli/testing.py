"""`test`: run files of cases, series and the events a configuration should make of them; one line a case."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from config.problems import ConfigError, Problem
from config.units import format_duration
from daemon.cli import output
from daemon.cli.files import need_files
from daemon.clock import rfc3339
from daemon.errors import ANSWER_IS_NO, UsageError

if TYPE_CHECKING:  # heavy: imported by the command that needs them
    from daemon.replay.backtest import Event, Stretch
    from daemon.replay.casefile import Expected, Suite
    from daemon.replay.cases import Outcome

_WIDTH = 60
"""Characters of a timeline."""
_MOST_ROWS = 12
_MOST_LINES = 20
_MARKS = (("unknown", "?"), ("pending", "p"), ("firing", "F"))
"""Phases as drawn; where two share a character the later one is seen."""


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("test")(run_cases)


def run_cases(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files of cases.")],
    *,
    pattern: Annotated[
        str | None, typer.Option("--run", metavar="PATTERN", help="Only cases whose name has this in it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Test detectors: series written by hand go through the live code, and its events must be the expected ones.

    Exit 1 when a case failed.
    """
    need_files(files)
    suites = _loaded(files)
    wanted = _pattern(pattern)
    told: list[dict[str, Any]] = []
    for suite in suites:
        for outcome in _run(suite, wanted):
            told.append(_document(suite, outcome))
            if not as_json:
                for line in _lines(suite, outcome):
                    output.line(line)
    if not told:
        raise UsageError(f"--run: no case has {pattern!r} in its name")
    failed = sum(not one["passed"] for one in told)
    if as_json:
        document = {"cases": told, "passed": len(told) - failed, "failed": failed}
        output.json_text(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        output.line(f"{len(told) - failed} passed, {failed} failed")
    if failed:
        raise typer.Exit(ANSWER_IS_NO)


def _loaded(files: list[Path]) -> list[Suite]:
    """All files are read before the first case runs: what is wrong with any is told at once."""
    from daemon.cli.setup import Lenient
    from daemon.replay.casefile import load_cases

    suites: list[Suite] = []
    problems: list[Problem] = []
    for file in files:
        try:
            suites.append(load_cases(file, Lenient(os.environ)))
        except ConfigError as error:
            problems += error.errors
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return suites


def _pattern(text: str | None) -> re.Pattern[str]:
    try:
        return re.compile(text or "", re.IGNORECASE)
    except re.error as error:
        raise UsageError(f"--run: not a regular expression: {error}") from None


def _run(suite: Suite, wanted: re.Pattern[str]) -> Iterator[Outcome]:
    from daemon.replay.cases import run_case

    return (run_case(suite, case) for case in suite.cases if wanted.search(case.name))


# ------------------------------------------------------------------ for people


def _lines(suite: Suite, outcome: Outcome) -> Iterator[str]:
    case = outcome.case
    yield f"{'ok  ' if outcome.passed else 'FAIL'}  {suite.file}: {case.name}"
    if outcome.passed:
        return
    for name, why in outcome.not_judged.items():
        yield f"      not judged  {name}: {why}"
    for one in outcome.missing[:_MOST_LINES]:
        came = _nearest(outcome, one)
        yield f"      missing     {_expected(one)}{came}"
    for title, events in (("unexpected", outcome.surplus), ("forbidden", outcome.forbidden)):
        for event in events[:_MOST_LINES]:
            yield f"      {title:<10}  {_event(event, case.start)}"
        if len(events) > _MOST_LINES:
            yield f"      {title:<10}  … and {len(events) - _MOST_LINES} more"
    yield from _timeline(outcome)


def _nearest(outcome: Outcome, one: Expected) -> str:
    """The same event at another time is the commonest mistake."""
    same = [
        event.at - outcome.case.start
        for event in outcome.events
        if (event.detector, dict(event.scope), event.state) == (one.detector, one.scope, one.state)
    ]
    if not same:
        return ""
    low = one.span[0]
    return f"; it came at {format_duration(min(same, key=lambda at: abs(at - low)))}"


def _expected(one: Expected) -> str:
    low, high = one.span
    at = format_duration(low) if low == high else f"{format_duration(low)} to {format_duration(high)}"
    return f"{at:<7}  {_who(one.detector, one.scope)} {one.state.value}"


def _event(event: Event, start: float) -> str:
    value = "" if event.value is None else f" (value {event.value:.4g})"
    at = format_duration(event.at - start)
    return f"{at:<7}  {_who(event.detector, dict(event.scope))} {event.state.value}{value}"


def _who(detector: str, scope: dict[str, str]) -> str:
    return " ".join([detector, *(f"{name}={value}" for name, value in sorted(scope.items()))])


def _timeline(outcome: Outcome) -> Iterator[str]:
    """What each detector concerned was in over the case, a row for each scope."""
    start, length = outcome.replayed.start, outcome.replayed.end - outcome.replayed.start
    concerned = {
        *((one.detector, tuple(sorted(one.scope.items()))) for one in outcome.missing),
        *((one.detector, tuple(one.scope)) for one in (*outcome.surplus, *outcome.forbidden)),
    }
    names = {key: _who(key[0], dict(key[1])) for key in sorted(concerned)[:_MOST_ROWS]}
    if not names or length <= 0:
        return
    wide = max(len(name) for name in names.values())
    size = outcome.replayed.step * max(1, -(-outcome.replayed.ticks // _WIDTH))
    for key, name in names.items():
        mine = [one for one in outcome.replayed.stretches if (one.detector, tuple(one.scope)) == key]
        yield f"      {name:<{wide}}  {_drawn(mine, start, length, size)}"
    yield f"      {'':<{wide}}  {format_duration(size)} a character: . quiet, p pending, F firing, ? unknown"


def _drawn(stretches: list[Stretch], start: float, length: float, size: float) -> str:
    """`size`: seconds of a character."""
    row = ["."] * (int(length / size) + 1)
    for phase, mark in _MARKS:
        for one in stretches:
            if one.phase.value == phase:
                ended = one.end - start < length
                first, last = int((one.start - start) / size), int((one.end - start - ended * 1e-6) / size)
                row[first : last + 1] = [mark] * (min(last, len(row) - 1) - first + 1)
    return "".join(row)


# ----------------------------------------------------------------- for scripts


def _document(suite: Suite, outcome: Outcome) -> dict[str, Any]:
    case = outcome.case
    return {
        "file": str(suite.file),
        "name": case.name,
        "passed": outcome.passed,
        "start": rfc3339(case.start),
        "missing": [
            {
                "detector": one.detector,
                "scope": one.scope,
                "state": one.state.value,
                "after_s": list(one.span),
            }
            for one in outcome.missing
        ],
        "unexpected": [_row(one, case.start) for one in outcome.surplus],
        "forbidden": [_row(one, case.start) for one in outcome.forbidden],
        "not_judged": dict(outcome.not_judged),
        "events": [_row(one, case.start) for one in outcome.events],
    }


def _row(event: Event, start: float) -> dict[str, Any]:
    return {
        "detector": event.detector,
        "failure_mode": event.failure_mode,
        "scope": dict(event.scope),
        "state": event.state.value,
        "at": rfc3339(event.at),
        "after_s": round(event.at - start, 3),
    }
