"""Times in which nothing should be done: maintenance, pauses and silences; storms."""

from __future__ import annotations

from remediations.guardrails.gate import Gate, Question


class Maintenance:
    """A list of reasons, each with an owner; one being lifted does not lift the others."""

    name = "maintenance"

    def ask(self, question: Question) -> Gate:
        mutings = question.facts.mutings
        if not mutings:
            return Gate(self.name, True, "no pause, maintenance or silence")
        inputs = {"reasons": [f"{m.kind} by {m.owner}: {m.reason}" for m in mutings]}
        ends = [m.until for m in mutings]
        until = None if None in ends else max(end for end in ends if end is not None)
        return Gate(self.name, False, "; ".join(inputs["reasons"]), until=until, inputs=inputs)


class Storm:
    """Storm state with hysteresis is not evaluated in this release; the trace and `check` both say so."""

    name = "storm"

    def ask(self, question: Question) -> Gate:
        return Gate(self.name, True, "not evaluated", inputs={"storm_safe": question.rung.storm_safe})
