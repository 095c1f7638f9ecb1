"""The rung's own precondition. Its "no" is a skip to the next rung, never a stop."""

from __future__ import annotations

from config.templates import Expression, TemplateError
from remediations.guardrails.gate import Gate, Question, Unsure


class Require:
    """`require` on the evidence of the probes; what cannot be evaluated is a no."""

    name = "require"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        text = question.rung.require
        if text is None:
            return Gate(self.name, True, "nothing required")
        try:
            met = bool(Expression(text).evaluate(question.facts.names))
        except TemplateError as error:
            return Gate(self.name, False, f"unknown: {error}", inputs={"require": text})
        return Gate(self.name, met, "met" if met else "not met", inputs={"require": text})
