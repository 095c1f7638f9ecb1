"""Times in which nothing should be done: maintenance, pauses and silences; storms."""

from __future__ import annotations

from remediations.guardrails.gate import Gate, Question, Unsure


class Maintenance:
    """A list of reasons, each with an owner; one being lifted does not lift the others."""

    name = "maintenance"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        mutings = question.facts.mutings
        if not mutings:
            return Gate(self.name, True, "no pause, maintenance or silence")
        inputs = {"reasons": [f"{m.kind} by {m.owner}: {m.reason}" for m in mutings]}
        ends = [m.until for m in mutings]
        until = None if None in ends else max(end for end in ends if end is not None)
        return Gate(self.name, False, "; ".join(inputs["reasons"]), until=until, inputs=inputs)


class Storm:
    """While much fails at once only rungs marked `storm_safe` are begun. It is waited for: its own page has gone out.

    Whether one begins is unknown until every detector finished a round since start; one that stands is known at once.
    """

    name = "storm"
    unsure = Unsure.OPEN

    def ask(self, question: Question) -> Gate:
        storm, safe = question.facts.storm, question.rung.storm_safe
        inputs = {"storm_safe": safe, "storm": storm and storm.incident, "since": storm and storm.since}
        if storm is None:
            return Gate(self.name, True, "no storm", inputs=inputs)
        if safe:
            return Gate(self.name, True, f"storm-safe, in storm {storm.incident}", inputs=inputs)
        return Gate(
            self.name, False, storm_reason(storm.incident), until=storm.until, waits=True, inputs=inputs
        )


def storm_reason(storm: str) -> str:
    """Why a rung waits; the same for as long as this storm stands, so waiting writes nothing."""
    return f"only storm-safe rungs are begun in storm {storm}"
