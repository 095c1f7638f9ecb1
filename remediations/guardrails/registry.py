"""The fifteen guardrails in the order in which they are asked and shown."""

from __future__ import annotations

from remediations.guardrails.calm import Maintenance, Storm
from remediations.guardrails.control import AutonomyLevel, KillSwitch, Leader, Person
from remediations.guardrails.facts import Facts
from remediations.guardrails.gate import Answer, Guardrail, Question
from remediations.guardrails.limits import BudgetLeft, Cooldown, FailoverLock, InFlight, Lock
from remediations.guardrails.require import Require
from remediations.guardrails.target import FreshFault, PendingCause, TargetSet
from remediations.spec import Guardrails, Rung

GUARDRAILS: tuple[Guardrail, ...] = (
    KillSwitch(),
    Leader(),
    Person(),
    AutonomyLevel(),
    TargetSet(),
    FreshFault(),
    PendingCause(),
    Maintenance(),
    Storm(),
    InFlight(),
    Lock(),
    BudgetLeft(),
    Cooldown(),
    FailoverLock(),
    Require(),
)


def ask(rung: Rung, rules: Guardrails, facts: Facts, now: float) -> Answer:
    """Ask all of them, whatever the first ones say: `explain` shows those that would have refused too."""
    question = Question(rung, rules, facts, now)
    return Answer(tuple(guardrail.ask(question) for guardrail in GUARDRAILS))
