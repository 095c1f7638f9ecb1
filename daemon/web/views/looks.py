"""How a state looks: a class for its colour, a shape of its own and a word. Never the colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import Attempt
from remediations.run import IN_FLIGHT, Run, RunState


@dataclass(frozen=True, slots=True)
class Look:
    """`tone`: firing | acting | contained | pending | healthy | unknown | quiet. The shape has the tone's name."""

    tone: str
    word: str


OBSERVED = {
    "firing": Look("firing", "firing"),
    "clearing": Look("firing", "clearing"),
    "no_data": Look("unknown", "no data"),
    "unknown": Look("unknown", "unknown"),
    "pending": Look("pending", "pending"),
    "ok": Look("healthy", "healthy"),
}
"""States of a detector at a scope, worst first: what is known to be bad, what is not known, what may become bad."""
BLIND = Look("unknown", "firing, blind")
_WORST = [*OBSERVED]

_INCIDENT = {
    IncidentState.OPEN: Look("firing", "firing"),
    IncidentState.SUPPRESSED: Look("quiet", "explained by another"),
    IncidentState.CONTAINED: Look("contained", "contained, not mended"),
    IncidentState.RECOVERED: Look("healthy", "recovered, watched"),
    IncidentState.RESOLVED: Look("healthy", "resolved"),
    IncidentState.CLOSED: Look("quiet", "closed by a person"),
}


def of_detector(state: str, *, blind: bool = False) -> Look:
    """A state nobody knows looks unknown."""
    return BLIND if blind else OBSERVED.get(state, Look("unknown", state.replace("_", " ")))


def badness(state: str, *, blind: bool = False) -> int:
    """0 is the worst; blind is as bad as firing."""
    return 0 if blind else _WORST.index(state) if state in OBSERVED else _WORST.index("unknown")


def of_incident(row: Incident, run: Run | None) -> Look:
    """An incident and whether something is being done about it at this moment."""
    if row.state is IncidentState.OPEN and run is not None and run.state in IN_FLIGHT:
        return Look("acting", "acting" if run.state is RunState.ACTING else str(run.state))
    if row.state is IncidentState.OPEN and run is not None and run.state is RunState.PROPOSED:
        return Look("firing", "waits for approval")
    if row.state is IncidentState.OPEN and row.blind:
        return BLIND
    return _INCIDENT[row.state]


ATTEMPT = {
    "recovered": Look("healthy", "helped"),
    "self_resolved": Look("healthy", "mended itself"),
    "contained": Look("contained", "contained"),
    "not_recovered": Look("firing", "did not help"),
    "unknown": Look("unknown", "effect unknown"),
}
OUTCOME = {
    "failed": Look("firing", "failed"),
    "not_done": Look("quiet", "not done"),
    "unknown": Look("unknown", "outcome unknown"),
}


def of_attempt(attempt: Attempt) -> Look:
    """What came of an action: its outcome where that is bad, else its verdict; what mends nothing has none."""
    outcome = attempt.outcome
    if outcome is None:
        return Look("acting", "running" if attempt.started_at is not None else "about to start")
    if outcome in OUTCOME:
        return OUTCOME[outcome]
    if not attempt.mends:
        return Look("quiet", "done")
    return ATTEMPT.get(attempt.verdict or "", Look("acting", "verifying"))
