"""The one place that says in a sentence or three what an incident is, what was done, and what happens next and when.

"Hot storage is refusing writes since 03:12 CET / 02:12Z. fail-over ran at 03:14; verifying until 03:17. You need do
nothing yet." Title, notification and text equivalent of everything about an incident come from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from daemon.document.dossier import Dossier
from daemon.document.log import called
from daemon.document.words import Clockface, complaint, length
from daemon.incidents.escalation import EscalationState
from daemon.incidents.events import Kind
from daemon.incidents.model import STORM, Incident, IncidentState
from daemon.incidents.records import Attempt, DebtState, Phase
from remediations.run import ACTIVE, Run, RunState

_OPEN_DEBTS = frozenset(DebtState) - {DebtState.PAID, DebtState.WAIVED}


def sentence(dossier: Dossier, now: float, zone: str = "UTC") -> str:
    """What is; what was done; what happens next, with its time on the reader's clock (`zone`) and UTC."""
    clock = Clockface(now, zone)
    incident = dossier.incident
    if incident.ended:
        return _join(
            _was(dossier, clock), _debts(dossier, clock), "You need do nothing." if _no_debt(dossier) else ""
        )
    return _join(_is(dossier, clock), _blindness(incident), _doing(dossier, clock), _asks(dossier, clock))


def standing(dossier: Dossier) -> str:
    """`still acting`, `stepped back`, or `nothing is being done`: every page says which."""
    run = dossier.run
    if run is not None and run.state in ACTIVE and not (dossier.incident.stepped_back and _idle(run)):
        return "still acting"
    return "stepped back" if dossier.incident.stepped_back or run is not None else "nothing is being done"


def _idle(run: Run) -> bool:
    return run.state in {RunState.GAVE_UP, RunState.DONE}


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


# ------------------------------------------------------------ what is


def _is(dossier: Dossier, clock: Clockface) -> str:
    incident = dossier.incident
    words = complaint(incident)
    since = clock.both(incident.began_at)
    match incident.state:
        case IncidentState.RECOVERED:
            at = clock.both(incident.recovered_at or incident.detected_at)
            by = f" by {incident.recovered_by}" if incident.recovered_by else ""
            return f"{words.subject} recovered{by} at {at}; it is watched until it stays clear."
        case IncidentState.SUPPRESSED:
            return f"{words.subject} {words.now} since {since}, explained by {incident.explained_by or 'a cause'}."
        case IncidentState.CONTAINED:
            return f"{words.subject} {words.now} since {since}; it is contained, not mended."
        case _:
            return f"{words.subject} {words.now} since {since}."


def _was(dossier: Dossier, clock: Clockface) -> str:
    incident = dossier.incident
    words = complaint(incident)
    end = incident.resolved_at or incident.recovered_at
    span = f"from {clock.both(incident.began_at)}" + (f" to {clock.both(end)}" if end is not None else "")
    if incident.state is IncidentState.CLOSED:
        return f"{words.subject} {words.then} {span}. Closed by {incident.resolved_by or 'a person'}, not verified."
    by = incident.resolved_by
    if by in {None, "self"}:
        how = "It is clear again, by hand or by itself." if called(dossier) else "It mended itself."
    else:
        how = f"Mended by {by}, verified on fresh data."
    return f"{words.subject} {words.then} {span}. {how}"


def _blindness(incident: Incident) -> str:
    return "Nothing is known of it at present: its telemetry is missing." if incident.blind else ""


def _debts(dossier: Dossier, clock: Clockface) -> str:
    for debt in dossier.debts:
        if debt.state in _OPEN_DEBTS:
            due = f" by {clock.both(debt.due_at)}" if debt.due_at is not None else ""
            return f"{debt.rung} still has to be returned{due}."
    return ""


def _no_debt(dossier: Dossier) -> bool:
    return not any(debt.state in _OPEN_DEBTS for debt in dossier.debts)


# ------------------------------------------------------------ what is done


def _doing(dossier: Dossier, clock: Clockface) -> str:
    incident, run = dossier.incident, dossier.run
    if incident.state in {IncidentState.SUPPRESSED, IncidentState.RECOVERED}:
        return ""
    if incident.failure_mode == STORM:
        return f"{incident.impact.text} Only storm-safe rungs are begun."
    if run is None:
        return "Stepped back: no playbook fits." if incident.stepped_back else "Nothing has been done."
    return _STANDS[run.state](dossier, run, clock)


def _diagnosing(dossier: Dossier, run: Run, clock: Clockface) -> str:
    del run
    return _join(_tried(_last(dossier), clock), "Diagnosing before anything more is done.")


def _rechecking(dossier: Dossier, run: Run, clock: Clockface) -> str:
    del run
    tried = _tried(_last(dossier), clock)
    return _join(tried, f"Looking for the fault on fresh data before {_considered(dossier)}.")


def _waiting(dossier: Dossier, run: Run, clock: Clockface) -> str:
    again = f"; asked again at {clock.both(run.due_at)}" if run.due_at is not None else ""
    return f"{_considered(dossier)} waits: {run.reason or 'a guardrail refuses'}{again}."


def _proposed(dossier: Dossier, run: Run, clock: Clockface) -> str:
    until = f" until {clock.both(run.proposal_expires_at)}" if run.proposal_expires_at is not None else ""
    return f"{_considered(dossier)} is proposed and waits for approval{until}."


def _acting(dossier: Dossier, run: Run, clock: Clockface) -> str:
    del run
    last = _last(dossier)
    if last is None or last.started_at is None:
        return f"{last.rung if last else 'An action'} is about to start."
    return f"{last.rung} is running since {clock.short(last.started_at)}, at most until {clock.both(last.deadline_at)}."


def _verifying(dossier: Dossier, run: Run, clock: Clockface) -> str:
    ran = _ran(_last(dossier), clock)
    until = f"verifying until {clock.both(run.due_at)}" if run.due_at is not None else "verifying"
    return f"{ran}; {until}." if ran else f"{until.capitalize()}."


def _undoing(dossier: Dossier, run: Run, clock: Clockface) -> str:
    del run, clock
    last = _last(dossier)
    return f"{last.rung if last else 'The last step'} did not help and is being undone."


def _gave_up(dossier: Dossier, run: Run, clock: Clockface) -> str:
    return _join(_tried(_last(dossier), clock), f"Stepped back: {run.reason or 'nothing is left to try'}.")


def _done(dossier: Dossier, run: Run, clock: Clockface) -> str:
    del run
    return _tried(_last(dossier), clock)


_STANDS: Mapping[RunState, Callable[[Dossier, Run, Clockface], str]] = {
    RunState.DIAGNOSING: _diagnosing,
    RunState.RECHECKING: _rechecking,
    RunState.WAITING: _waiting,
    RunState.PROPOSED: _proposed,
    RunState.ACTING: _acting,
    RunState.VERIFYING: _verifying,
    RunState.UNDOING: _undoing,
    RunState.GAVE_UP: _gave_up,
    RunState.DONE: _done,
}


def _last(dossier: Dossier) -> Attempt | None:
    begun = [attempt for attempt in dossier.attempts if attempt.phase is not Phase.RETURN]
    return begun[-1] if begun else None


def _considered(dossier: Dossier) -> str:
    """Name of the rung under consideration, from the newest row that names one."""
    named = {Kind.GATES, Kind.WAITING, Kind.PROPOSED, Kind.APPROVED}
    for event in reversed(dossier.events):
        if event.kind in named and event.data.get("rung"):
            return str(event.data["rung"])
    return "the next step"


def _ran(last: Attempt | None, clock: Clockface) -> str:
    if last is None:
        return ""
    at = last.ended_at or last.started_at
    verb = "was undone" if last.phase is Phase.UNDO else "ran"
    return f"{last.rung} {verb}" + (f" at {clock.short(at)}" if at is not None else "")


def _tried(last: Attempt | None, clock: Clockface) -> str:
    """The last attempt and what came of it."""
    if last is None or last.outcome is None:
        return ""
    results = {
        "recovered": "and helped",
        "contained": "and contained it",
        "not_recovered": "without effect",
        "unknown": "with an effect nobody could see",
    }
    outcomes = {"failed": "and failed", "not_done": "not at all", "unknown": "with an unknown outcome"}
    result = outcomes.get(last.outcome) or results.get(last.verdict or "", "")
    if last.phase is Phase.UNDO:
        result = outcomes.get(last.outcome, "")
    return _join(_ran(last, clock), result) + "."


# ------------------------------------------------------------ what is asked of the reader


def _asks(dossier: Dossier, clock: Clockface) -> str:
    escalation, run, incident = dossier.escalation, dossier.run, dossier.incident
    if incident.state is IncidentState.RECOVERED:
        return "You need do nothing."
    if incident.state is IncidentState.SUPPRESSED:
        return "Look at the cause first; nothing is done here meanwhile."
    if run is not None and run.state is RunState.PROPOSED:
        return _join(f"Approve or reject it: fleetmend approve {incident.id}.", _clock_of(dossier, clock))
    nobody = escalation is None or escalation.level == 0 or escalation.held_until is not None
    if escalation is None or nobody or escalation.state is EscalationState.ENDED:
        return _unpaged(dossier, clock)
    who = (
        f"{escalation.acked_by or 'somebody'} has it"
        if escalation.state is EscalationState.ACKED
        else f"L{escalation.level} has been paged"
    )
    return _join(f"{who}.", _clock_of(dossier, clock))


def _unpaged(dossier: Dossier, clock: Clockface) -> str:
    escalation, run = dossier.escalation, dossier.run
    if escalation is not None and escalation.held_until is not None:
        return f"A page is held until {clock.both(escalation.held_until)}."
    if run is not None and run.state in ACTIVE:
        return "You need do nothing yet."
    return (
        "Nobody has been paged."
        if run is None or run.state is not RunState.DONE
        else "You need do nothing yet."
    )


def _clock_of(dossier: Dossier, clock: Clockface) -> str:
    """When the next level is due, unless it is resolved before."""
    escalation = dossier.escalation
    if escalation is None or escalation.level == 0:
        return ""
    at = escalation.next_level_at
    if at is None:
        return ""
    level = next_level(dossier)
    if at <= clock.now:
        return f"L{level} is due now."
    return f"L{level} follows at {clock.both(at)}, in {length(at - clock.now)}, unless it is resolved."


def next_level(dossier: Dossier) -> int:
    """The level that is told next: one higher where the policy has one for this severity, else the same again."""
    escalation = dossier.escalation
    if escalation is None:
        return 1
    levels = escalation.policy.get("levels", ())
    above = levels[escalation.level] if escalation.level < len(levels) else {}
    return escalation.level + 1 if escalation.severity in above.get("after", {}) else max(1, escalation.level)
