"""Which regular expressions may be matched against labels, which anyone who sends telemetry can choose.

Python matches by backtracking and holds the interpreter meanwhile: a pattern that a text can be split up by in very
many ways, such as `(x+x+)+y`, stops the whole process. So the ways are counted before the pattern is taken.
"""

from __future__ import annotations

import re

# Python keeps its parser of patterns here; there is no public door to a pattern's tree.
from re import _constants, _parser  # type: ignore[attr-defined]  # private, and without type hints
from typing import Any

MAX_MATCHED = 1_000
"""Characters of a label that are matched at all: a longer one matches nothing."""
MAX_WAYS = 1e9
"""As many as three repetitions without an end, one after the other."""

_REPEATS = frozenset({
    _constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT
})  # fmt: skip
_REFERENCES = frozenset({_constants.GROUPREF, _constants.GROUPREF_EXISTS})
_FEW = 10


class _TooMany(Exception):
    """Says what makes it so many."""


def danger_of(pattern: str) -> str:
    """Why matching it may not end in time; empty for a pattern that is harmless. The pattern compiles."""
    try:
        ways = _ways(_parser.parse(pattern))
    except _TooMany as reason:
        return str(reason)
    except (re.error, RecursionError):
        return "it is nested too deeply"
    return "too many repetitions one after the other" if ways > MAX_WAYS else ""


def _ways(tree: Any) -> float:
    """In how many ways a text of `MAX_MATCHED` characters may be split up by the parts of the tree, at most."""
    ways = 1.0
    for operator, arguments in tree:
        if operator in _REFERENCES:
            raise _TooMany("a back-reference")
        if operator in _REPEATS:
            ways *= _repeated(*arguments)
        elif operator is _constants.BRANCH:
            ways *= sum(_ways(branch) for branch in arguments[1])
        else:
            for inner in arguments if isinstance(arguments, list | tuple) else ():
                ways *= _ways(inner) if isinstance(inner, _parser.SubPattern) else 1.0
    return min(ways, 1e300)


def _repeated(least: int, most: int, body: Any) -> float:
    inner = _ways(body)
    if inner > 1 and most > _FEW:
        raise _TooMany("a repetition or a choice within a repetition")
    return min(most - least + 1, MAX_MATCHED) * min(inner, 1e20) ** min(most, _FEW)
