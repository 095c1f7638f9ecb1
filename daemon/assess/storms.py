"""Storm: so much is broken at once that mending parts may do harm. A state with hysteresis, kept as an incident. Pure.

It is entered at `modes` failure modes or at `share` of a population; it is left once it was below both for `leave_after`
without a break. What is being mended or is contained still counts, a symptom that its cause explains does not, nor what
a maintenance or silence was declared for: that is planned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from config.scope import WHOLE, Scope
from config.section import FailureMode
from daemon.incidents.model import STORM, Impact, Incident, IncidentState, incident_id, worse
from daemon.incidents.records import PipelineChange
from daemon.incidents.transitions import IncidentEvent, incident_after
from detectors.modes import MODES
from remediations.spec import Storm

APART = ("provider", "tier")
"""Labels whose values fail independently of one another, so that many of them at once have something in common."""
AT_LEAST = 2
"""One of a small population is a share of it, and no storm."""
FAULTY = frozenset({IncidentState.OPEN, IncidentState.CONTAINED})


class Turn(StrEnum):
    """What becomes of the storm now."""

    ENTER = "enter"
    RISE = "rise"
    """It was settling, and is above its bounds again."""
    SETTLE = "settle"
    """Below its bounds: the time until it is left begins."""
    LEAVE = "leave"
    STAY = "stay"


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is broken now: how many incidents, in which failure modes, and (broken, known) of each population."""

    incidents: tuple[Incident, ...] = ()
    modes: tuple[str, ...] = ()
    shares: Mapping[str, tuple[int, int]] | None = None

    def over(self, rule: Storm) -> bool:
        """Whether this is a storm by one of its two bounds."""
        return len(self.modes) >= rule.modes or any(
            broken >= AT_LEAST and broken >= rule.share * known
            for broken, known in (self.shares or {}).values()
        )


def gathered(incidents: Collection[Incident], populations: Mapping[str, Collection[Scope]]) -> Gathered:
    """Count what is broken. `incidents`: the open ones for which nothing is planned; `populations`: as on the board."""
    broken = tuple(i for i in incidents if _counts(i))
    found: dict[str, set[str]] = defaultdict(set)
    known: dict[str, set[str]] = defaultdict(set)
    for incident in broken:
        for name, value in incident.scope:
            found[name].add(value)
    for scopes in populations.values():
        for scope in scopes:
            for name, value in scope:
                known[name].add(value)
    shares = {label: (len(found[label]), len(known[label] | found[label])) for label in APART if found[label]}
    modes = {incident.failure_mode for incident in broken}
    return Gathered(broken, tuple(str(mode) for mode in MODES if mode in modes), shares)


def turn(storm: Incident | None, now_broken: Gathered, rule: Storm, now: float) -> Turn:
    """The table of the hysteresis. `storm`: the one that stands, None when none does."""
    over = now_broken.over(rule)
    if storm is None:
        return Turn.ENTER if over else Turn.STAY
    if storm.state is IncidentState.OPEN:
        return Turn.STAY if over else Turn.SETTLE
    if over:
        return Turn.RISE
    settling = storm.recovered_at if storm.recovered_at is not None else now
    return Turn.LEAVE if now >= settling + rule.leave_after else Turn.STAY


def entered(now_broken: Gathered, changes: Collection[PipelineChange], now: float) -> Incident:
    """The storm as an incident of its own: its page is the one that all of its incidents have in common."""
    return Incident(
        id=incident_id(STORM, WHOLE, now),
        failure_mode=STORM,
        scope=WHOLE,
        severity=_severity(now_broken),
        state=IncidentState.OPEN,
        began_at=min(incident.began_at for incident in now_broken.incidents),
        detected_at=now,
        impact=_impact(now_broken, changes, now),
    )


def moved(storm: Incident, what: Turn, now: float) -> Incident:
    """The storm after its turn."""
    if what is Turn.SETTLE:
        state = incident_after(storm.state, IncidentEvent.RECOVER)
        return replace(storm, state=state, recovered_at=now)
    if what is Turn.RISE:
        return replace(storm, state=incident_after(storm.state, IncidentEvent.RELAPSE), recovered_at=None)
    if what is Turn.LEAVE:
        state = incident_after(storm.state, IncidentEvent.CLEAR)
        return replace(storm, state=state, resolved_at=now, resolved_by="self")
    return storm


def grown(storm: Incident, now_broken: Gathered, changes: Collection[PipelineChange], now: float) -> Incident:
    """The storm with the most that it has held so far; nothing changes while it does not grow."""
    severity = worse(storm.severity, _severity(now_broken))
    if len(now_broken.incidents) <= storm.impact.scopes and severity == storm.severity:
        return storm
    return replace(storm, severity=severity, impact=_impact(now_broken, changes, now))


def _counts(incident: Incident) -> bool:
    """Whether it is a fault of the pipeline that somebody has to mend; parts of a component are always advice."""
    return incident.state in FAULTY and incident.failure_mode in MODES and not incident.advises


def _severity(now_broken: Gathered) -> str:
    severity = now_broken.incidents[0].severity if now_broken.incidents else "high"
    for incident in now_broken.incidents:
        severity = worse(severity, incident.severity)
    return severity


def _impact(now_broken: Gathered, changes: Collection[PipelineChange], now: float) -> Impact:
    count, modes = len(now_broken.incidents), now_broken.modes
    titles = ", ".join(MODES[FailureMode(mode)].title.lower() for mode in modes)
    shares = "".join(
        f", {broken} of {known} {label}s"
        for label, (broken, known) in (now_broken.shares or {}).items()
        if broken >= AT_LEAST
    )
    text = f"{count} incidents at once in {len(modes)} of {len(MODES)} failure modes ({titles}){shares}"
    return Impact(count, count, f"{text}. {_common(now_broken, changes, now)}")


def _common(now_broken: Gathered, changes: Collection[PipelineChange], now: float) -> str:
    """Where to look first: a change shortly before, and the fault nearest to the head of the pipeline."""
    order = {str(mode): place for place, mode in enumerate(MODES)}
    first = min(now_broken.incidents, key=lambda i: (order[i.failure_mode], i.began_at, i.id))
    where = ", ".join(f"{name} {value}" for name, value in first.scope) or "the whole pipeline"
    head = MODES[FailureMode(first.failure_mode)].title.lower()
    begun = min(incident.began_at for incident in now_broken.incidents)
    before = [change for change in changes if change.at <= begun + 60.0]
    text = f"Nearest to the head of the pipeline: {head} at {where} ({first.id})."
    if before:
        last = max(before, key=lambda change: change.at)
        text += f" Changed {(now - last.at) / 60:.0f} min ago: {last.what} by {last.who}."
    return text
