"""`reference/guardrails.md`: the guardrails in their order, from the registry."""

from __future__ import annotations

from pages.text import code, doc, member_docs, table
from remediations.guardrails.gate import Unsure
from remediations.guardrails.registry import GUARDRAILS

INTRO = """# Guardrails

Before every rung all of them are asked, in this order, whatever the first ones say; all answers are recorded with what
they were made from. `fleetmend explain ID` shows those that refused and those that would have refused too. Facts are
read in the transaction that writes the intent, so caps and budgets cannot race and hold across restarts. A refusal
stops the ladder; only a `require` that does not hold moves on to the next rung.
"""


def page() -> str:
    """The whole page."""
    rows = [
        (str(place), code(guardrail.name), doc(type(guardrail)), guardrail.unsure.value)
        for place, guardrail in enumerate(GUARDRAILS, 1)
    ]
    meaning = member_docs(Unsure)
    ways = [(code(way.value), meaning[way.name]) for way in Unsure]
    return "\n".join(
        [
            INTRO,
            table(("", "guardrail", "asks", "where it cannot know"), rows),
            f"## Where it cannot know\n\n{doc(Unsure)}\n",
            table(("", "means"), ways),
        ]
    )
