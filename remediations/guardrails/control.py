"""Who decides: kill switch, leader, person at the wheel, autonomy."""

from __future__ import annotations

from typing import Any

from config.section import Autonomy
from remediations.guardrails.gate import Gate, Question, Unsure


class KillSwitch:
    """Fails closed: while the switch is on, nothing is done on any path."""

    name = "kill_switch"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        why = question.facts.kill_switch
        return Gate(self.name, why is None, why or "off", inputs={"switch": why})


class Leader:
    """Only the holder of the current epoch acts; the worker asks once more at the moment of acting."""

    name = "leader"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        held = question.facts.leader
        return Gate(self.name, held, "epoch held" if held else "another daemon holds the epoch")


class Person:
    """Once L1 is paged no new rung starts; only `resume` or an approval re-opens the ladder."""

    name = "person"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        wheel = question.facts.wheel
        inputs = {"paged_at": wheel.paged_at, "released_at": wheel.released_at}
        if wheel.held:
            return Gate(self.name, False, "a person has been paged and has the wheel", inputs=inputs)
        return Gate(self.name, True, "nobody is at the wheel", inputs=inputs)


class AutonomyLevel:
    """The lower of the rung's autonomy, the global ceiling and what its record leaves of it (`earned`); an approval
    stands for this one rung.
    """

    name = "autonomy"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        facts, rung = question.facts, question.rung
        level = effective_autonomy(rung.autonomy, facts.ceiling)
        inputs: dict[str, Any] = {
            "rung": rung.autonomy,
            "ceiling": facts.ceiling,
            "approved_by": facts.wheel.approved_by,
        }
        why = "needs a person's approval"
        if facts.earned is not None:
            inputs["earned"] = facts.earned.data()
            if facts.earned.demoted:
                level = effective_autonomy(level, Autonomy.PROPOSE)
                why += f": it {facts.earned.text}"
        if level is Autonomy.AUTO:
            return Gate(self.name, True, "auto", inputs=inputs)
        if level is Autonomy.PROPOSE and facts.wheel.approved_by:
            return Gate(self.name, True, f"approved by {facts.wheel.approved_by}", inputs=inputs)
        if level is Autonomy.PROPOSE:
            return Gate(self.name, False, why, inputs=inputs)
        return Gate(self.name, False, "observing only: would have acted", inputs=inputs)


def effective_autonomy(rung: Autonomy, ceiling: Autonomy) -> Autonomy:
    """Observe < propose < auto; the ceiling holds for every rung."""
    return min(rung, ceiling, key=list(Autonomy).index)
