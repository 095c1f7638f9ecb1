"""A run on a ladder that a reload has changed meanwhile: the same rung is found by its name, or the run steps back.

An index alone would verify, and undo, whatever rung stands there now; a playbook that is gone would leave its incident
without anybody, for giving up is a page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Phase
from daemon.mitigate.applying import Progress
from remediations.run import ACTIVE, IN_FLIGHT, Run, RunEvent, RunState, run_after
from remediations.spec import Playbook
from remediations.verification import Verdict


@dataclass(frozen=True, slots=True)
class Lost:
    """Why a run cannot go on. `waits`: an action is under way, whose end is awaited first."""

    reason: str
    waits: bool = False


def on_ladder(run: Run, playbook: Playbook | None, attempt: Attempt | None) -> Run | Lost:
    """The run as it stands on the ladder that is loaded now. A run at rest is left as it is."""
    if run.state not in ACTIVE:
        return run
    under_way = run.state in IN_FLIGHT
    waits = under_way and attempt is not None and attempt.outcome is None
    if playbook is None:
        return Lost(f"its playbook {run.playbook} is not configured any more", waits)
    name = attempt.rung if under_way and attempt is not None else run.at
    names = [rung.name for rung in playbook.ladder]
    if not name or (run.rung < len(names) and names[run.rung] == name):
        return run
    if name in names:
        return replace(run, rung=names.index(name))
    if under_way or run.state is RunState.PROPOSED:
        return Lost(f"{name} was taken out of its playbook meanwhile", waits)
    # What was only considered, or waited: the one that stands in its place comes next.
    return replace(run, rung=min(run.rung, len(names)), attempt=None, tries=0, reruns=0, approved_by=None)


def stepped_back(incident: Incident, run: Run, attempt: Attempt | None, reason: str, now: float) -> Progress:
    """It gives up, and a person is paged; an action that took place stays unverified."""
    rest = replace(
        run,
        state=run_after(run.state, RunEvent.GIVE_UP),
        entered_at=now,
        ended_at=now,
        due_at=None,
        attempt=None,
        asked=(),
        reason=reason,
    )
    event = Event(incident.id, now, Kind.GAVE_UP, f"Stepped back: {reason}.", {"reason": reason})
    unjudged = attempt is not None and attempt.phase is Phase.DO and attempt.verdict is None
    judged = (replace(attempt, verdict=str(Verdict.UNKNOWN), verdict_at=now),) if attempt and unjudged else ()
    moved = replace(incident, stepped_back=True)
    return Progress(Change(incident=moved, run=rest, attempts=judged, events=(event,)), page=reason)
