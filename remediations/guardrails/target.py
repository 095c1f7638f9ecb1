"""What is acted upon, and whether it is really broken: target set, fresh fault, pending cause."""

from __future__ import annotations

from remediations.guardrails.gate import Gate, Question, Unsure
from remediations.verification import Seen


class TargetSet:
    """An empty target set is an error, never "everything" (Google SRE book, chapter 7: the Diskerase outage)."""

    name = "target_set"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        facts = question.facts
        inputs = {"targets": list(facts.targets)}
        if facts.target_error:
            return Gate(self.name, False, facts.target_error, inputs=inputs)
        if not facts.targets:
            return Gate(self.name, False, "the target set is empty", inputs=inputs)
        return Gate(self.name, True, ", ".join(facts.targets), inputs=inputs)


class FreshFault:
    """The fault is present on fresh data; unknown is a no. Of a return the opposite: no incident stands open there."""

    name = "fresh_fault"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        facts, fault = question.facts, question.facts.fault
        if facts.returning:
            return self._calm(facts.nearby)
        age = None if fault.observed_at is None else question.now - fault.observed_at
        inputs = {"seen": fault.seen, "age_s": age, "fresh_within_s": facts.fresh_within}
        if not facts.disruptive:
            return Gate(self.name, True, "not a disruptive action", inputs=inputs)
        if fault.seen is not Seen.BREACH:
            return Gate(self.name, False, f"the fault is not observed now ({fault.seen})", inputs=inputs)
        if age is None or age > facts.fresh_within:
            return Gate(self.name, False, "the newest evidence is too old", inputs=inputs)
        if not facts.corroborated:
            return Gate(self.name, False, "not corroborated by a second witness", waits=True, inputs=inputs)
        return Gate(self.name, True, f"in breach {age:.0f} s ago", inputs=inputs)

    def _calm(self, nearby: tuple[str, ...]) -> Gate:
        """What is broken, or being mended, is not switched back under the hands of whoever mends it."""
        inputs = {"open": list(nearby)}
        if nearby:
            return Gate(self.name, False, f"{nearby[0]} stands open at the same place", inputs=inputs)
        return Gate(self.name, True, "a return, and no incident stands open there", inputs=inputs)


class PendingCause:
    """A symptom waits while a declared cause is pending or unknown, at most the cause's own hold."""

    name = "pending_cause"
    unsure = Unsure.CLOSED

    def ask(self, question: Question) -> Gate:
        facts = question.facts
        inputs = {"causes": [f"{cause.failure_mode} {cause.state}" for cause in facts.causes]}
        if not facts.causes or not facts.disruptive:
            return Gate(self.name, True, "no declared cause is undecided", inputs=inputs)
        until = max(cause.settles_at for cause in facts.causes)
        names = ", ".join(sorted({cause.failure_mode for cause in facts.causes}))
        waits = question.now < until
        reason = f"{names} may be the cause and is undecided" + ("" if waits else " after its whole hold")
        return Gate(self.name, False, reason, until=until, waits=waits, inputs=inputs)
