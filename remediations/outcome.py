"""Outcome: what became of one action, as far as the daemon can know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

OUTPUT_LIMIT = 4_000
"""Characters of output kept: enough for an error and its cause, small enough for a row and a page."""
EFFECT_LIMIT = 1_000


class OutcomeState(StrEnum):
    """Four answers, because "it failed" and "nobody knows" call for different things."""

    DONE = "done"
    FAILED = "failed"
    """Tried, and known not to have done what was asked."""
    NOT_DONE = "not_done"
    """Nothing was touched: no permit, nobody to ask, nothing to do."""
    UNKNOWN = "unknown"
    """It may or may not have taken place; settled by the rung's `on_interrupt`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`effect`: one plain sentence; `output`: what the world answered.

    Both are redacted and bounded when they leave `remediations.actions.registry.Actions.perform`.

    `ended_at`: unix seconds; verification counts only samples from then on.
    """

    state: OutcomeState
    effect: str
    output: str
    ended_at: float


def bounded(text: str, limit: int = OUTPUT_LIMIT) -> str:
    """At most `limit` characters and a mark; never ends inside a word, or half a secret could slip past redaction."""
    if len(text) <= limit:
        return text
    whole_words = re.sub(r"\S*$", "", text[:limit])
    return f"{whole_words}[... {len(text)} characters in all ...]"
