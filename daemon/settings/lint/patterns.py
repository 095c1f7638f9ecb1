"""Regular expressions that select everything, or that are none."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View

_SAMPLES = ("", "a", "0", "zz-9_Q", "x y/z:1", "http://e.org/?a=b&c", "-", "é")
"""What nobody would list together: a pattern that accepts all of these accepts everything."""
_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")


def _all(view: View) -> Iterator[Found]:
    for place, label, pattern in _patterns(view):
        compiled = re.compile(pattern)
        if all(compiled.fullmatch(text) for text in _SAMPLES):
            text = f"{label} may be anything: the pattern {pattern!r} matches every value, and none"
            yield Found(place, text, "leave the label out, or say what it has to be")


def _plain(view: View) -> Iterator[Found]:
    for place, label, pattern in _patterns(view):
        if pattern and not _SPECIAL.search(pattern):
            yield Found(place, f"the pattern {pattern!r} is a plain value", f"write {label}: {pattern}")
        elif pattern.startswith("^") or (pattern.endswith("$") and not pattern.endswith("\\$")):
            text = f"the pattern {pattern!r} is anchored, and patterns always match the whole value"
            yield Found(place, text, "leave ^ and $ out; for a part of the value write .* around it")


def _patterns(view: View) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    for one in view.detectors:
        for matcher in one.rule.signal.where:
            if matcher.pattern is not None:
                yield one.in_signal("where", matcher.label), matcher.label, matcher.pattern


ALL = Check(
    code="pattern-matches-all",
    title="A pattern that matches everything",
    gravity=Gravity.WARNING,
    why="""`{re: ".*"}` accepts every value, and series without the label too, so it selects nothing at all and costs
a match per series. (`.+` does select: it leaves out series that lack the label.)""",
    fix="Leave the label out of `where`, or write what it has to be.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth, where: {queue: {re: ".*"}}}}   # <--
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth, where: {queue: {re: "ingest-.*"}}}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    find=_all,
)

PLAIN = Check(
    code="pattern-plain",
    title="A pattern that is a plain value, or anchored twice",
    gravity=Gravity.WARNING,
    why="""A pattern without any special character is a value, and a list of values is read faster by people and
programs. Patterns match the whole value, so `^` and `$` add nothing; who writes them may believe that the rest of a
pattern matches parts.""",
    fix="Write the value, a list of values, or the pattern without anchors.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth, where: {queue: {re: "^ingest$"}}}}   # <--
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth, where: {queue: ingest}}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    find=_plain,
)
