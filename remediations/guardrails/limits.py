"""How much and how often: in-flight caps, lock, budget, cooldown, failover lock."""

from __future__ import annotations

from config.units import Budget
from remediations.guardrails.facts import Facts, Flight
from remediations.guardrails.gate import Gate, Question, Unsure
from remediations.spec import Rung, RungKind

NOTHING = "mends nothing"
"""Why telling people and waiting take no part in caps, locks and cooldowns."""

IN_FLIGHT, OVERALL = "in flight", "overall"
EVERY_SLOT = f"{IN_FLIGHT} {OVERALL}"
"""Begins the reason of a rung that waits because the cap over everything is reached."""


class InFlight:
    """What is in flight or in verification counts as unhealthy, for every cap."""

    name = "in_flight"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        facts = question.facts
        if not facts.mends:
            return Gate(self.name, True, NOTHING)
        others = [flight for flight in facts.in_flight if not mine(flight, facts)]
        scopes = {flight.scope for flight in others if flight.playbook == facts.playbook}
        lock = question.rules.lock
        taken = {
            OVERALL: (len(others), facts.caps.overall),
            "on this target": (
                sum(bool(set(f.targets) & set(facts.targets)) for f in others),
                facts.caps.per_target,
            ),
            "of this kind": (sum(f.action == facts.action for f in others), facts.caps.per_action),
            "of this group": (
                sum(lock is not None and lock in f.locks for f in others),
                facts.caps.per_group,
            ),
            "scopes of this playbook": (len(scopes - {facts.scope}), facts.caps.max_scopes),
        }
        inputs = {name: f"{count} of {cap}" for name, (count, cap) in taken.items()}
        full = next((name for name, (count, cap) in taken.items() if count >= cap), None)
        if full is None:
            return Gate(self.name, True, "below every cap", inputs=inputs)
        return Gate(self.name, False, f"{IN_FLIGHT} {full}: {inputs[full]}", waits=True, inputs=inputs)


class Lock:
    """Playbooks that name the same lock never act at once."""

    name = "lock"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        facts, lock = question.facts, question.rules.lock
        holders = [f.incident for f in facts.in_flight if lock in f.locks and not mine(f, facts)]
        inputs = {"lock": lock, "held_by": holders}
        if not facts.mends:
            return Gate(self.name, True, NOTHING)
        if lock is None or not holders:
            return Gate(self.name, True, "free", inputs=inputs)
        return Gate(self.name, False, f"{lock} is held by {holders[0]}", waits=True, inputs=inputs)


class BudgetLeft:
    """Disruptive actions per (action, target) and window, and of everything together where `limits.actions` bounds it; it
    frees as the oldest leaves the window.

    A return counts and is never refused for it: there are only as many as there were actions to be given back.
    """

    name = "budget"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        facts, budget = question.facts, question.rules.budget
        if not facts.disruptive:
            return Gate(self.name, True, "not a disruptive action")
        if facts.returning:
            return Gate(self.name, True, "a return: as many as were begun", inputs={"used": len(facts.used)})
        now = question.now
        own, free_at = _spent(facts.used, budget, now)
        inputs = {"used": own, "of": budget.count, "window_s": budget.per}
        reason, refused = f"{own} of {budget.count} used", free_at is not None
        if refused:
            reason = f"budget {reason}"
        if facts.overall is not None:
            every, all_free_at = _spent(facts.used_overall, facts.overall, now)
            inputs |= {"overall": every, "overall_of": facts.overall.count, "overall_s": facts.overall.per}
            if all_free_at is not None:
                also = f"budget of everything {every} of {facts.overall.count} used"
                reason = f"{reason}; {also}" if refused else also
                free_at, refused = max(all_free_at, free_at or 0.0), True
        return Gate(self.name, not refused, reason, until=free_at, inputs=inputs)


def _spent(began: tuple[float, ...], budget: Budget, now: float) -> tuple[int, float | None]:
    """(used within the window, when the next one is free); None while one is."""
    used = sorted(at for at in began if at > now - budget.per)
    return len(used), None if len(used) < budget.count else used[len(used) - budget.count] + budget.per


class Cooldown:
    """From the end of one climb to the start of the next, same playbook and scope; never within a climb.

    A climb whose end is not recorded cools nothing down: `in_flight` and `budget` count its actions.
    """

    name = "cooldown"
    unsure = Unsure.OPEN

    def ask(self, question: Question) -> Gate:
        facts, length = question.facts, question.rules.cooldown
        ended = facts.climb_ended_at
        inputs = {"climb_ended_at": ended, "cooldown_s": length}
        if not facts.mends:
            return Gate(self.name, True, NOTHING)
        if facts.climb_started or ended is None or question.now >= ended + length:
            return Gate(self.name, True, "not cooling down", inputs=inputs)
        return Gate(
            self.name, False, "cooling down after the last climb", until=ended + length, inputs=inputs
        )


class FailoverLock:
    """After a switch the target stays put until time passes or `unlock TARGET`; an acknowledgement never lifts it.

    What the same incident switched a rung ago is part of its climb, and a contain rung switches nothing over. A switch
    whose outcome nobody knows locks like one that took place, until a probe says that it did not. One made by hand is not
    known here: `require` looks at what is active.
    """

    name = "failover_lock"
    unsure = Unsure.OPEN

    def ask(self, question: Question) -> Gate:
        facts, rung = question.facts, question.rung
        hit = [
            s
            for s in facts.switched
            if s.target in facts.targets and s.until > question.now and s.incident != facts.incident
        ]
        inputs = {"locked": [s.target for s in hit]}
        if not facts.mends:
            return Gate(self.name, True, NOTHING)
        if not hit or not switches(rung):
            return Gate(self.name, True, "no switch is locked", inputs=inputs)
        last = max(hit, key=lambda s: s.until)
        return Gate(self.name, False, f"{last.target}: {last.reason}", until=last.until, inputs=inputs)


def mine(flight: Flight, facts: Facts) -> bool:
    """Whether it is the climb's own action. A return is nobody's climb: two returns of one incident are two."""
    return flight.incident == facts.incident and not facts.returning


def switches(rung: Rung) -> bool:
    """Whether a rung moves its target to something it has to come back from."""
    return rung.return_ is not None and rung.kind is RungKind.CURE
