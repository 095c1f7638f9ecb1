"""Which rung, and may it be carried out? The one place where a ladder is climbed, waited on, or given up."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from config.section import Autonomy
from config.templates import Expression, TemplateError
from daemon.incidents.events import Kind
from daemon.incidents.records import Phase
from daemon.mitigate.facts import PROPOSAL_LASTS
from daemon.mitigate.moves import Act, Await, GiveUp, Propose, Step, Turn
from remediations.guardrails.control import effective_autonomy
from remediations.guardrails.facts import Facts
from remediations.guardrails.gate import Answer, Gate
from remediations.guardrails.registry import ask
from remediations.run import RunEvent, RunState
from remediations.spec import Rung

MUTED_QUIETLY = "maintenance"


def consider(turn: Turn) -> Step:
    """Find the first rung that fits and ask all guardrails; act, propose, wait or give up."""
    while turn.run.rung < len(turn.playbook.ladder):
        rung = turn.rung
        facts = turn.situation.facts_for(rung, turn.run)
        answer = ask(rung, turn.playbook.guardrails, facts, turn.now)
        gates = {gate.name: gate for gate in answer.gates}
        if gates["pending_cause"].waits:
            # Before anything is skipped: what the probes say of a symptom counts once its cause is known.
            return _wait_or_give_up(turn, answer, [gates["pending_cause"]])
        applies, why = _applies(rung, facts.names)
        if not applies:
            turn = _skip(turn, "when", why)
            continue
        if facts.tried:
            turn = _skip(turn, "tried", "it was begun before in this climb")
            continue
        required = gates["require"]
        if not required.allowed:
            turn = _skip(_say_gates(turn, answer), "require", required.reason)
            continue
        passed = None if facts.mends else _passed_over(rung, facts)
        if passed is not None:
            turn = _skip(_say_gates(turn, answer), *passed)
            continue
        return _decide(turn, answer, facts)
    if turn.run.contained_by:
        return give_up(turn, f"contained by {', '.join(turn.run.contained_by)}, but nothing mends it")
    tried = "every rung was tried" if turn.run.acted else "no rung applies"
    return give_up(turn, f"{tried} and the fault is still there")


def give_up(turn: Turn, reason: str) -> Step:
    """Giving up is a page, owed in the same change."""
    turn = _leave_waiting(turn)
    turn = turn.say(Kind.GAVE_UP, f"Stepped back: {reason}.", reason=reason)
    turn = turn.to(RunEvent.GIVE_UP, reason=reason, ended_at=turn.now, attempt=None)
    return turn.end(GiveUp(reason))


def _passed_over(rung: Rung, facts: Facts) -> tuple[str, str] | None:
    """(gate, why) a rung that mends nothing is left out: it never keeps the ladder from what mends."""
    if facts.told:
        return "told", "carried out for this incident already, and it is not said twice"
    if facts.target_error:
        return "target_set", facts.target_error
    if effective_autonomy(rung.autonomy, facts.ceiling) is Autonomy.OBSERVE:
        return "autonomy", "observing only: would have been carried out"
    return None


def _decide(turn: Turn, answer: Answer, facts: Facts) -> Step:
    rung = turn.rung
    if answer.allowed:
        turn = _say_gates(_leave_waiting(turn), answer)
        turn = turn.to(
            RunEvent.ACT,
            tries=turn.run.tries + 1,
            acted=turn.run.acted or facts.mends,
            waiting_since=None,
            reason="",
            evidence=turn.run.evidence,
        )
        return turn.end(Act(rung, Phase.DO))
    blockers = [gate for gate in answer.refusals if gate.name != "autonomy"]
    if not blockers:
        return _ask_a_person(_say_gates(_leave_waiting(turn), answer))
    return _wait_or_give_up(turn, answer, blockers)


def _ask_a_person(turn: Turn) -> Step:
    rung, ceiling = turn.rung, turn.situation.facts_for(turn.rung, turn.run).ceiling
    if Autonomy.OBSERVE in (rung.autonomy, ceiling):
        return give_up(turn, f"observing only: {rung.name} would have run")
    until = turn.now + PROPOSAL_LASTS
    turn = turn.say(
        Kind.PROPOSED, f"{rung.name} is proposed and waits for approval.", rung=rung.name, expires_at=until
    )
    turn = turn.to(RunEvent.PROPOSE, proposal_expires_at=until, due_at=until, proposed=digest(rung))
    return turn.end(Propose(rung))


def digest(rung: Rung) -> str:
    """What tells whether a rung does what it did, without a word of it."""
    return hashlib.blake2s(
        json.dumps(rung.do, sort_keys=True, default=str).encode(), digest_size=8
    ).hexdigest()


def _wait_or_give_up(turn: Turn, answer: Answer, blockers: list[Gate]) -> Step:
    """Wait only for what lifts by itself; a maintenance is waited out, everything else pages."""
    run = turn.run
    since = run.waiting_since if run.waiting_since is not None else turn.now
    ends = [_wait_until(turn, gate, since) for gate in blockers]
    stuck = next(
        (gate for gate, end in zip(blockers, ends, strict=True) if end is None or turn.now >= end), None
    )
    if stuck is not None:
        turn = _say_gates(_leave_waiting(turn), answer)
        return give_up(turn, f"{turn.rung.name} was refused by {stuck.name}: {stuck.reason}")
    until = max(end for end in ends if end is not None)
    reason = "; ".join(f"{gate.name}: {gate.reason}" for gate in blockers)
    if run.state is RunState.WAITING and run.reason == reason:
        # Waiting writes nothing.
        return turn.end(Await(until))
    turn = _say_gates(_leave_waiting(turn), answer)
    text = f"{turn.rung.name} waits: {reason}."
    turn = turn.say(Kind.WAITING, text, rung=turn.rung.name, gate=blockers[0].name, until=until)
    # The time that a slot or a lock is waited for does not begin in a maintenance or a storm before it.
    bounded = any(gate.waits and gate.until is None for gate in blockers)
    turn = turn.to(RunEvent.REFUSED, reason=reason, waiting_since=since if bounded else None, due_at=until)
    return turn.end(Await(until))


def _wait_until(turn: Turn, gate: Gate, since: float) -> float | None:
    """How long this refusal may be waited for; None: not at all."""
    if gate.name == MUTED_QUIETLY:
        quiet = all(m.kind != "pause" for m in turn.situation.facts_for(turn.rung, turn.run).mutings)
        return gate.until if quiet else None
    if not gate.waits:
        return None
    return gate.until if gate.until is not None else since + turn.playbook.guardrails.wait_up_to


def _skip(turn: Turn, gate: str, why: str) -> Turn:
    turn = _leave_waiting(turn)
    name = turn.rung.name
    turn = turn.say(Kind.SKIPPED, f"{name} skipped: {why}.", rung=name, gate=gate, reason=why)
    return replace(turn, run=replace(turn.run, rung=turn.run.rung + 1, tries=0, reruns=0, approved_by=None))


def _applies(rung: Rung, names: object) -> tuple[bool, str]:
    if rung.when is None:
        return True, ""
    try:
        holds = bool(Expression(rung.when).evaluate(names))  # type: ignore[arg-type]  # names is a mapping of facts
    except TemplateError as error:
        return False, f"`{rung.when}` is unknown: {error}"
    return holds, f"`{rung.when}` does not hold"


def _leave_waiting(turn: Turn) -> Turn:
    return turn.to(RunEvent.LIFTED) if turn.run.state is RunState.WAITING else turn


def _say_gates(turn: Turn, answer: Answer) -> Turn:
    name = turn.rung.name
    refused = answer.refusals
    text = (
        f"{name}: allowed by all guardrails."
        if not refused
        else (f"{name}: refused by " + "; ".join(f"{gate.name} ({gate.reason})" for gate in refused) + ".")
    )
    return turn.say(Kind.GATES, text, rung=name, allowed=answer.allowed, gates=answer.data())
