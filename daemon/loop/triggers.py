"""What a change means for people: from assessments and progress to triggers of the escalation clock. Pure but for reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.scope import WHOLE
from daemon.escalate.triggers import (
    Blind,
    Ended,
    HeadsUp,
    PageOwed,
    Recovered,
    SeverityRaised,
    Tick,
    Trigger,
)
from daemon.incidents.escalation import EscalationState
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import BLIND, DAEMON, STORM, Incident, IncidentState
from daemon.mitigate.applying import Progress
from daemon.store.unit import UnitOfWork
from remediations.spec import Playbook

TICK = Tick()
SUPPRESSED_FOR = 900.0
"""Seconds after which a suppressed critical incident pages on its own."""
SELF = frozenset({BLIND, DAEMON})


@dataclass(frozen=True, slots=True)
class Overdue:
    """A page owed by the clock alone, and the row that says so."""

    trigger: Trigger
    event: Event


def of_assessment(before: Incident | None, after: Incident, events: Sequence[Event]) -> tuple[Trigger, ...]:
    """Triggers of one assessed incident."""
    news: list[Trigger] = []
    if before is None and after.failure_mode in SELF and after.state is IncidentState.OPEN:
        news.append(PageOwed(events[0].text))
    for event in events:
        if event.kind is Kind.RELEASED and after.failure_mode in SELF:
            news.append(PageOwed(event.text))
        elif event.kind is Kind.BLIND:
            news.append(Blind(event.text))
        elif event.kind is Kind.RELAPSED or (event.kind is Kind.FLAPPING and before is not None):
            news.append(PageOwed(event.text, again=True))
        elif event.kind is Kind.SEVERITY:
            news.append(SeverityRaised(after.severity))
        elif event.kind is Kind.RESOLVED:
            news.append(Ended(event.text))
    return tuple(news)


def of_progress(progress: Progress) -> tuple[Trigger, ...]:
    """Triggers of one step of a ladder."""
    news: list[Trigger] = []
    run = progress.change.run
    if progress.heads_up is not None:
        rung, contained = progress.heads_up
        news.append(HeadsUp(rung, contained))
    if progress.demoted is not None:
        rung, text = progress.demoted
        news.append(HeadsUp(rung, demoted=text))
    if progress.recovered is not None:
        news.append(Recovered(progress.recovered))
    if progress.page is not None:
        reason = progress.page[:1].upper() + progress.page[1:] + "."
        news.append(PageOwed(reason, again=run is not None and run.climb > 1))
    return tuple(news)


def may_be_overdue(
    incident: Incident, playbooks: Mapping[str, Playbook], last_storm: Incident | None, now: float
) -> bool:
    """Whether `overdue` has to be asked: by the clock alone, without a look at what was told already."""
    if last_storm is not None and not last_storm.ended:
        return False
    calm_since = 0.0 if last_storm is None else last_storm.resolved_at or 0.0
    return _why_overdue(incident, playbooks, now, calm_since) is not None


def overdue(
    uow: UnitOfWork, incident: Incident, playbooks: Mapping[str, Playbook], now: float
) -> Overdue | None:
    """No verified recovery in time, or held back for too long: a page whatever the ladder does. Once per incident."""
    storm = uow.incidents.latest(STORM, WHOLE)
    if storm is not None and not storm.ended:
        return None  # its page stands for all of its incidents
    text = _why_overdue(incident, playbooks, now, 0.0 if storm is None else storm.resolved_at or 0.0)
    if text is None:
        return None
    escalation = uow.escalations.get(incident.id)
    if escalation is None or escalation.state is not EscalationState.QUIET or escalation.reason:
        return None
    if any(event.kind is Kind.DEADLINE for event in uow.timeline.of(incident.id)):
        return None
    return Overdue(
        PageOwed(text), Event(incident.id, now, Kind.DEADLINE, text, {"after": now - incident.detected_at})
    )


def _why_overdue(
    incident: Incident, playbooks: Mapping[str, Playbook], now: float, calm_since: float
) -> str | None:
    """`calm_since`: when the last storm ended. What lived through it has its whole time once more: people were told."""
    if incident.state is IncidentState.SUPPRESSED:
        since = incident.suppressed_at
        pages = incident.severity == "critical" or incident.failure_mode in SELF
        late = pages and since is not None and now >= max(since, calm_since) + SUPPRESSED_FOR
        return "Held back by its cause for 15 minutes." if late else None
    if incident.state not in {IncidentState.OPEN, IncidentState.CONTAINED}:
        return None
    playbook = playbooks.get(incident.playbook or "")
    if playbook is None or now < max(incident.detected_at, calm_since) + playbook.deadline:
        return None
    start = "the end of the storm" if calm_since > incident.detected_at else "detection"
    return f"No verified recovery {playbook.deadline / 60:.0f} min after {start}."
