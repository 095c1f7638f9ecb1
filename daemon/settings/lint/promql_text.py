"""Queries that answer nothing when all is well, or nothing after one lost scrape."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config.problems import Gravity, Wrong
from config.units import format_duration, parse_duration
from daemon.settings.lint.check import Check, Found, View

_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`")
_BRACED = re.compile(r"\{[^{}]*\}")
_COMMENT = re.compile(r"#[^\n]*")
_COMPARES = re.compile(r"(?:==|!=|>=|<=|>|<)(?!\s*bool\b)")
_ABSENT = re.compile(r"\babsent(?:_over_time)?\s*\(")
_FILLED = re.compile(r"\bor\b")
_RANGE = re.compile(r"\b(?:rate|increase|irate|delta|deriv)\s*\([^\[\]]*\[([0-9a-z]+)\]")


def _bare(query: str) -> str:
    """The query without texts, matchers and comments."""
    return _COMMENT.sub("", _BRACED.sub("", _QUOTED.sub('""', query)))


def _vanishes(view: View) -> Iterator[Found]:
    for one in view.detectors:
        if one.rule.signal.kind != "promql" or one.spec.signal.promql is None:
            continue
        bare = _bare(one.spec.signal.promql)
        if _FILLED.search(bare):
            continue
        if _COMPARES.search(bare):
            text = "the query compares, so it answers only while that holds: health is seen as no data"
            yield Found(
                (*one.path, "signal", "promql"), text, "query the value, and compare in fire and clear"
            )
        elif _ABSENT.search(bare):
            text = "absent() answers nothing while the series is there: health is seen as no data"
            yield Found(
                (*one.path, "signal", "promql"), text, "query the series itself: no_data tells of its absence"
            )


def _short(view: View) -> Iterator[Found]:
    for one in view.detectors:
        query = one.spec.signal.promql if one.rule.signal.kind == "promql" else None
        for written in _RANGE.findall(_bare(query)) if query is not None else ():
            try:
                span = parse_duration(written)
            except Wrong:
                continue  # the source says so
            if span < 4 * one.interval:
                text = f"[{written}] is shorter than four scrapes of {format_duration(one.interval)}"
                hint = f"use at least [{format_duration(4 * one.interval)}]"
                yield Found((*one.path, "signal", "promql"), text, hint)


VANISHES = Check(
    code="promql-vanishes",
    title="A query that answers nothing when all is well",
    gravity=Gravity.WARNING,
    why="""An alerting rule holds its condition inside the query, and "no answer" means health there. Here a signal has
a value at all times, and no answer means that nothing is known: a finding never clears, since only an observed value
does that, and `no_data` reports a healthy system. Comparisons with `bool`, and queries with `or` (`… or vector(0)`),
always answer and are not told.""",
    fix="Query the value alone, and put the comparison into `fire` and `clear`.",
    example="""detectors:
  backlog:
    failure_mode: ingestion_stopped
    signal: {promql: "sum(queue_depth) > 1000"}   # <--
    fire: {above: 0, for: 5m}
    clear: {equals: 0, for: 1m}
""",
    better="""detectors:
  backlog:
    failure_mode: ingestion_stopped
    signal: {promql: "sum(queue_depth)"}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    find=_vanishes,
)

SHORT = Check(
    code="promql-range-short",
    title="A range in a query is shorter than four scrapes",
    gravity=Gravity.WARNING,
    why="""`rate`, `increase` and their kin need two samples inside the range, and answer nothing with fewer. A range of
two scrapes holds two samples at best, so one lost or late scrape leaves none, and the detector is blind for as long.
Four scrapes survive a lost one and a late one.""",
    fix="Lengthen the range to four scrapes or more, or scrape more often.",
    example="""detectors:
  backlog:
    failure_mode: ingestion_stopped
    signal: {promql: "sum(rate(write_errors_total[30s]))"}   # <--
    fire: {above: 10, for: 5m}
    clear: {below: 5, for: 1m}
""",
    better="""detectors:
  backlog:
    failure_mode: ingestion_stopped
    signal: {promql: "sum(rate(write_errors_total[1m]))"}
    fire: {above: 10, for: 5m}
    clear: {below: 5, for: 1m}
""",
    find=_short,
)
