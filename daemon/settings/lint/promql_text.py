"""Queries that answer nothing when all is well."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View

_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`")
_BRACED = re.compile(r"\{[^{}]*\}")
_COMMENT = re.compile(r"#[^\n]*")
_COMPARES = re.compile(r"(?:==|!=|>=|<=|>|<)(?!\s*bool\b)")
_VANISHES = re.compile(r"\babsent(?:_over_time)?\s*\(")
_FILLED = re.compile(r"\bor\b")


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        if one.rule.signal.kind != "promql" or one.spec.signal.promql is None:
            continue
        bare = _COMMENT.sub("", _BRACED.sub("", _QUOTED.sub('""', one.spec.signal.promql)))
        if _FILLED.search(bare):
            continue
        if _COMPARES.search(bare):
            text = "the query compares, so it answers only while that holds: health is seen as no data"
            yield Found(
                (*one.path, "signal", "promql"), text, "query the value, and compare in fire and clear"
            )
        elif _VANISHES.search(bare):
            text = "absent() answers nothing while the series is there: health is seen as no data"
            yield Found(
                (*one.path, "signal", "promql"), text, "query the series itself: no_data tells of its absence"
            )


CHECK = Check(
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
    find=_find,
)
