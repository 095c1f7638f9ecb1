"""One step of a run: from what is known now to what is asked for next. Pure; the table stands in `remediations.run`.

    diagnosing -> rechecking -> (waiting | proposed) -> acting -> verifying -> done
                      ^                                   |          |
                      +---- the next rung, diagnosed anew +- undoing +      gave_up from anywhere: a page

Only a false or unknown `when`/`require` moves to the next rung; a guardrail's refusal stops the ladder. What mends nothing
(it tells people, or waits) is not verified: after its outcome the next rung comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from config.units import format_duration
from daemon.incidents.events import Kind
from daemon.incidents.records import Attempt, Phase
from daemon.mitigate.consider import consider, digest, give_up
from daemon.mitigate.moves import Act, Ask, Await, Done, Recheck, Situation, Step, Turn
from remediations.actions.wait import waits
from remediations.run import Evidence, Run, RunEvent, RunState
from remediations.spec import Check, OnInterrupt, Playbook, Rung, RungKind
from remediations.verification import Judgement, Seen, Verdict, judge

DIAGNOSE_WITHIN = 15.0
"""Seconds after which a probe that has not answered counts as failed."""
CONFIRM = "confirm"
"""Evidence name of a rung's own check."""
CONFIRM_EVERY = 5.0
"""Seconds between two looks whether a containment shows; a tenth of the time it has, where that is less."""
MAX_TRIES = 2
"""How often a rung is begun when it is proved that nothing happened."""


def begin(run: Run, playbook: Playbook, situation: Situation, now: float) -> Step:
    """Enter the ladder (a new run, or after `resume`): ask the playbook's probes."""
    return _ask_probes(Turn(run, playbook, situation, now))


def step(run: Run, playbook: Playbook, situation: Situation, now: float) -> Step:
    """Advance the run by at most one visible move. A run that has ended, or waits, comes back unchanged."""
    handler = _HANDLERS.get(run.state)
    if handler is None:
        return Step(run, Await())
    return handler(Turn(run, playbook, situation, now))


def _diagnosing(turn: Turn) -> Step:
    run = turn.run
    missing = [name for name in run.asked if not _answered(run, name)]
    if missing and (run.unheard or turn.now > run.entered_at + 2 * DIAGNOSE_WITHIN):
        # Restarted meanwhile, or held back by a cause: the questions were lost, or their answers would be stale.
        return _ask_probes(replace_run(turn, entered_at=turn.now, unheard=False))
    if missing and turn.now < run.entered_at + DIAGNOSE_WITHIN:
        return turn.end(Await(run.entered_at + DIAGNOSE_WITHIN))
    late = {name: Evidence(turn.now, ok=False, error="no answer in time") for name in missing}
    evidence = {**run.evidence, **late}
    for name in run.asked:
        turn = _say_evidence(turn, name, evidence[name])
    return _rechecking(turn.to(RunEvent.ANSWERED, evidence=evidence, asked=()))


def _rechecking(turn: Turn) -> Step:
    fault = turn.situation.fault
    fresh = fault.observed_at is not None and turn.now - fault.observed_at <= turn.situation.fresh_within
    if turn.situation.alert_only and not turn.situation.incident.blind:
        # Nothing to look at but somebody's word: the guardrail `fresh_fault` lets only harmless actions pass.
        return consider(turn)
    if fault.seen is Seen.OK and fresh:
        # Healthy by now: the board closes the incident as self-resolved once `clear` has held.
        return turn.end(Await())
    if turn.run.rung >= len(turn.playbook.ladder):
        # Nothing is left to be done, so there is nothing to look again for.
        return consider(turn)
    if fault.seen is Seen.UNKNOWN or not fresh:
        if turn.situation.facts_for(turn.rung, turn.run).wheel.held:
            return give_up(turn, "a person has been paged and has the wheel")
        return turn.end(Recheck())
    return consider(turn)


def _proposed(turn: Turn) -> Step:
    run, approval = turn.run, turn.situation.approval
    if approval is not None and approval.approved:
        turn = turn.say(
            Kind.APPROVED, f"{approval.by} approved {turn.rung.name}.", by=approval.by, rung=turn.rung.name
        )
        by: str | None = approval.by
        if run.proposed not in {"", digest(turn.rung)}:
            turn = turn.say(Kind.NOTE, f"{turn.rung.name} was changed since it was proposed: it asks anew.")
            by = None
        turn = turn.to(RunEvent.APPROVE, approved_by=by, released_at=turn.now, proposal_expires_at=None)
        return _rechecking(turn)
    if approval is not None:
        why = f": {approval.reason}" if approval.reason else ""
        turn = turn.say(
            Kind.REJECTED,
            f"{approval.by} rejected {turn.rung.name}{why}.",
            by=approval.by,
            reason=approval.reason,
        )
        return give_up(turn, f"{approval.by} rejected {turn.rung.name}")
    if run.proposal_expires_at is not None and turn.now >= run.proposal_expires_at:
        turn = turn.say(Kind.EXPIRED, f"Nobody approved {turn.rung.name} in time.", rung=turn.rung.name)
        return give_up(turn, f"the proposal to {turn.rung.name} expired")
    return turn.end(Await(run.proposal_expires_at))


def _acting(turn: Turn) -> Step:
    attempt = turn.situation.attempt
    if attempt is None or attempt.outcome is None:
        return turn.end(Await(None if attempt is None else attempt.deadline_at))
    if not attempt.mends and attempt.outcome != "not_done":
        return _aside(turn, attempt)
    if attempt.outcome == "done":
        return _verify_from(turn, attempt.ended_at or turn.now)
    if attempt.outcome == "failed":
        failed = Judgement(Verdict.NOT_RECOVERED, attempt.effect or "the action reported its own failure")
        return _not_recovered(turn, failed)
    if attempt.outcome == "not_done":
        return _again(turn, attempt.effect or "nothing was done")
    return _settle(turn)


def _aside(turn: Turn, attempt: Attempt) -> Step:
    """It mends nothing: whatever came of it the climb goes on, after a `wait` at its end.

    The wait is the due time of the run's row, so a restart changes nothing.
    """
    seconds = waits(attempt.action, attempt.args)
    until = (attempt.ended_at or turn.now) + seconds
    if turn.now >= until:
        return _next_rung(turn)
    reason = f"{format_duration(seconds)} before the next rung"
    turn = turn.say(
        Kind.WAITING, f"{turn.rung.name} waits: {reason}.", rung=turn.rung.name, gate="", until=until
    )
    return turn.to(RunEvent.WAIT, due_at=until, reason=reason).end(Await(until))


def _waiting(turn: Turn) -> Step:
    """For a guardrail, or, on a rung whose action was to wait, for its end."""
    run = turn.run
    if run.attempt is None:
        return _rechecking(turn)
    if run.due_at is not None and turn.now < run.due_at:
        return turn.end(Await(run.due_at))
    return _next_rung(replace_run(turn, reason=""))


def _settle(turn: Turn) -> Step:
    """Started, outcome unknown: the rung's declared policy decides, never a blind repetition."""
    rung, run = turn.rung, turn.run
    if rung.on_interrupt is OnInterrupt.RERUN and run.reruns < MAX_TRIES:
        return replace_run(turn, reruns=run.reruns + 1).end(Act(rung, Phase.DO, again=run.attempt))
    if rung.on_interrupt is OnInterrupt.PROBE and rung.confirm is not None:
        seen = run.evidence.get(CONFIRM)
        if seen is None or seen.at <= run.entered_at:
            return turn.end(Await()) if CONFIRM in run.asked else _ask_confirm(turn, rung.confirm)
        if seen.ok:
            return _verify_from(turn, turn.now)
        if not seen.error:
            return _again(turn, "the probe shows that it did not take effect")
        return give_up(turn, f"{rung.name} was interrupted and its effect could not be probed: {seen.error}")
    return give_up(turn, f"{rung.name} was interrupted: whether it took effect is unknown")


def _verify_from(turn: Turn, ended_at: float) -> Step:
    rung = turn.rung
    evidence = {name: seen for name, seen in turn.run.evidence.items() if name != CONFIRM}
    turn = turn.to(
        RunEvent.DONE,
        acted_until=ended_at,
        due_at=ended_at + rung.verify.within,
        evidence=evidence,
        asked=(),
    )
    return _verifying(turn)


def _verifying(turn: Turn) -> Step:
    rung, run = turn.rung, turn.run
    since = run.acted_until or run.entered_at
    check = own_check(rung)
    if rung.kind is RungKind.CONTAIN and check is not None:
        return _verify_contained(turn, check, since)
    verdict = judge(
        acted_until=since,
        within=rung.verify.within,
        hold=rung.verify.hold,
        readings=turn.situation.readings,
        now=turn.now,
    )
    if verdict is None:
        return turn.end(Await(since + rung.verify.within))
    if verdict.verdict is Verdict.RECOVERED:
        if rung.kind is RungKind.CONTAIN:
            return _contained(turn, verdict.reason)
        turn = _say_verdict(turn, verdict)
        return turn.to(RunEvent.FINISH, ended_at=turn.now, attempt=None).end(Done(verdict), verdict=verdict)
    if verdict.verdict is Verdict.UNKNOWN:
        turn = _say_verdict(turn, verdict)
        return replace(
            give_up(turn, f"whether {rung.name} helped is unknown: {verdict.reason}"), verdict=verdict
        )
    return _not_recovered(turn, verdict)


def _verify_contained(turn: Turn, check: Check, since: float) -> Step:
    """A contain rung is checked by its own effect, never by the symptom it hides."""
    seen = turn.run.evidence.get(CONFIRM)
    if seen is not None and seen.at >= since and seen.ok:
        return _contained(turn, "its own effect was confirmed")
    deadline = since + turn.rung.verify.within
    if turn.now >= deadline:
        why = seen.error if seen is not None and seen.error else "its effect did not show"
        return _not_recovered(turn, Judgement(Verdict.NOT_RECOVERED, why))
    return _look_again(turn, check, since, deadline)


def _look_again(turn: Turn, check: Check, since: float, deadline: float) -> Step:
    """Ask at a pace until it shows; what was seen before `since` counts for nothing."""
    seen = turn.run.evidence.get(CONFIRM)
    if CONFIRM in turn.run.asked and (seen is None or seen.at < since):
        return turn.end(Await(deadline))
    pace = min(CONFIRM_EVERY, turn.rung.verify.within / 10)
    if seen is not None and since <= seen.at and turn.now < seen.at + pace:
        return turn.end(Await(min(seen.at + pace, deadline)))
    return _ask_confirm(turn, check)


def _contained(turn: Turn, reason: str) -> Step:
    rung = turn.rung
    verdict = Judgement(Verdict.CONTAINED, reason)
    turn = _say_verdict(turn, verdict)
    turn = replace_run(turn, contained_by=(*turn.run.contained_by, rung.name))
    return replace(_next_rung(turn), contained=rung.name, verdict=verdict)


def _not_recovered(turn: Turn, verdict: Judgement) -> Step:
    turn = _say_verdict(turn, verdict)
    rung = turn.rung
    if rung.undo is None:
        return replace(_next_rung(turn), verdict=verdict)
    turn = turn.say(Kind.UNDOING, f"{rung.name} had no effect: undoing it.", rung=rung.name)
    evidence = {name: seen for name, seen in turn.run.evidence.items() if name != CONFIRM}
    turn = turn.to(RunEvent.UNDO, evidence=evidence, asked=())
    return turn.end(Act(rung, Phase.UNDO), verdict=verdict)


def _undoing(turn: Turn) -> Step:
    attempt, rung = turn.situation.attempt, turn.rung
    if attempt is None or attempt.outcome is None:
        return turn.end(Await(None if attempt is None else attempt.deadline_at))
    if rung.confirm is not None and attempt.outcome != "not_done":
        return _undo_shows(turn, attempt, rung.confirm)
    if attempt.outcome == "done":
        return _undone(turn)
    return _not_undone(turn, attempt)


def _undo_shows(turn: Turn, attempt: Attempt, check: Check) -> Step:
    """What the call said is one thing: also one that nobody saw end, or that was refused because somebody had undone it
    by hand, is undone once its effect is seen to be gone. A refusal is given no time to show.
    """
    since = attempt.ended_at or turn.run.entered_at
    seen = turn.run.evidence.get(CONFIRM)
    looked = seen is not None and seen.at >= since
    if looked and seen is not None and not seen.ok and not seen.error:
        return _undone(turn)
    deadline = since + turn.rung.verify.within
    if turn.now < deadline and not (looked and attempt.outcome == "failed"):
        return _look_again(turn, check, since, deadline)
    if attempt.outcome != "done":
        return _not_undone(turn, attempt)
    turn = turn.say(Kind.UNDONE, f"Undoing {turn.rung.name} did not show.", outcome="unknown")
    return give_up(turn, f"{turn.rung.name} could not be proved undone")


def _undone(turn: Turn) -> Step:
    turn = turn.say(Kind.UNDONE, f"{turn.rung.name} was undone.", rung=turn.rung.name, outcome="done")
    return _next_rung(turn)


def _not_undone(turn: Turn, attempt: Attempt) -> Step:
    name = turn.rung.name
    turn = turn.say(Kind.UNDONE, f"Undoing {name} failed: {attempt.effect}.", outcome=attempt.outcome)
    return give_up(turn, f"{name} could not be undone")


def _next_rung(turn: Turn) -> Step:
    """On to the next rung with new probes, unless a page put a person at the wheel meanwhile."""
    turn = turn.to(RunEvent.NEXT, rung=turn.run.rung + 1, tries=0, reruns=0, attempt=None, approved_by=None)
    return _ask_probes(turn)


def _again(turn: Turn, why: str) -> Step:
    """It is proved that nothing happened: consider the same rung once more, with a new key."""
    turn = turn.say(
        Kind.VERDICT, f"{turn.rung.name}: {why}.", rung=turn.rung.name, verdict="not_done", reason=why
    )
    if turn.run.tries >= MAX_TRIES:
        return _next_rung(turn)
    return _ask_probes(turn.to(RunEvent.NEXT, attempt=None, reruns=0))


def _ask_probes(turn: Turn) -> Step:
    probes = turn.playbook.diagnose
    turn = replace_run(turn, asked=tuple(probes), evidence={})
    if not probes:
        return _diagnosing(turn)
    turn = replace_run(turn, due_at=turn.now + DIAGNOSE_WITHIN)
    return turn.end(Ask({name: Check(probe=ref.probe) for name, ref in probes.items()}))


def _ask_confirm(turn: Turn, check: Check) -> Step:
    turn = replace_run(turn, asked=(CONFIRM,))
    return turn.end(Ask({CONFIRM: check}))


def own_check(rung: Rung) -> Check | None:
    """How a rung's own effect is looked at: the probe of its `effect`, else its `confirm`."""
    if rung.effect is not None and rung.effect.probe is not None:
        return Check(probe=rung.effect.probe, ok=rung.effect.ok)
    return rung.confirm


def interrupted(run: Run) -> Run:
    """At a restart: nobody waits for the answers any more. A question that was lost is no probe that failed."""
    if run.state is RunState.DIAGNOSING:
        return replace(run, unheard=True)
    return replace(run, asked=tuple(name for name in run.asked if name != CONFIRM))


def _answered(run: Run, name: str) -> bool:
    seen = run.evidence.get(name)
    return seen is not None and seen.at >= run.entered_at


def _say_evidence(turn: Turn, name: str, seen: Evidence) -> Turn:
    answer = "ok" if seen.ok else seen.error or "not ok"
    return turn.say(
        Kind.DIAGNOSED, f"Probe {name}: {answer}.", probe=name, ok=seen.ok, status=seen.status, body=seen.body,
        error=seen.error,
    )  # fmt: skip


def _say_verdict(turn: Turn, verdict: Judgement) -> Turn:
    name = turn.rung.name
    text = f"{name}: {verdict.verdict.replace('_', ' ')} ({verdict.reason})."
    return turn.say(Kind.VERDICT, text, rung=name, verdict=verdict.verdict, reason=verdict.reason)


def replace_run(turn: Turn, **fields: object) -> Turn:
    """Change the run without moving it."""
    return replace(turn, run=replace(turn.run, **fields))  # type: ignore[arg-type]  # field names are Run's own


_HANDLERS: Mapping[RunState, Callable[[Turn], Step]] = {
    RunState.DIAGNOSING: _diagnosing,
    RunState.RECHECKING: _rechecking,
    RunState.WAITING: _waiting,
    RunState.PROPOSED: _proposed,
    RunState.ACTING: _acting,
    RunState.VERIFYING: _verifying,
    RunState.UNDOING: _undoing,
}
