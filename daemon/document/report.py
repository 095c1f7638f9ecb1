"""What was done, refused and told over a span of time, and what observe mode would have done. From timelines alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from config.escalation import WorkingHours
from daemon.document.dossier import Dossier
from daemon.document.explain import Explanation, explain
from daemon.document.log import PAGES, called
from daemon.document.oncall import OnCall, oncall
from daemon.incidents.events import Event, Kind
from daemon.incidents.records import DeliveryState, Phase

POLICY_GATES = frozenset({"autonomy", "kill_switch"})
"""A rung refused by nothing but these would have been carried out with autonomy `auto`."""


@dataclass(frozen=True, slots=True)
class WouldHave:
    """A rung that only the leash held back. `gate`: what held it."""

    incident: str
    at: float
    rung: str
    gate: str


@dataclass(frozen=True, slots=True)
class Report:
    """Counts over the incidents detected in [since, until). Lengths in seconds; None where nothing is known.

    `refused`: guardrail to the number of rungs it refused. `unattended_s`: time from detection to the end summed over
    incidents that ended without a page: what people did not have to be there for.
    """

    since: float
    until: float
    incidents: int
    by_mode: dict[str, int]
    mended: int
    self_resolved: int
    still_open: int
    actions: dict[str, int]
    refused: dict[str, int]
    pages: int
    people_paged: dict[str, int]
    paged_incidents: int
    unattended_s: float
    median_recovery_s: float | None
    would_have: tuple[WouldHave, ...]
    oncall: OnCall


def report(
    dossiers: Iterable[Dossier],
    since: float,
    until: float,
    zones: Mapping[str, str] | None = None,
    hours: WorkingHours | None = None,
) -> Report:
    """Report on the incidents detected in [since, until). `zones`: person to time zone."""
    chosen = [dossier for dossier in dossiers if since <= dossier.incident.detected_at < until]
    paged = [dossier for dossier in chosen if called(dossier)]
    actions: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    people: Counter[str] = Counter()
    would: list[WouldHave] = []
    for dossier in chosen:
        actions.update(
            f"{attempt.action}: {attempt.outcome or 'in flight'}"
            for attempt in dossier.attempts
            if attempt.started_at is not None and attempt.phase is Phase.DO
        )
        explanations = explain(dossier)
        refused.update(gate.name for asked in _last_of_each_rung(explanations) for gate in asked.refusals)
        people.update(
            row.person
            for row in dossier.deliveries
            if row.event in PAGES and row.state is DeliveryState.ACCEPTED
        )
        would += would_have(explanations, dossier.events)
    recoveries = sorted(_recovery(dossier) for dossier in chosen if dossier.incident.resolved_at is not None)
    return Report(
        since=since,
        until=until,
        incidents=len(chosen),
        by_mode=dict(sorted(Counter(dossier.incident.failure_mode for dossier in chosen).items())),
        mended=sum(_mended(dossier) for dossier in chosen),
        self_resolved=sum(1 for dossier in chosen if dossier.incident.resolved_by == "self"),
        still_open=sum(1 for dossier in chosen if not dossier.incident.ended),
        actions=dict(sorted(actions.items())),
        refused=dict(sorted(refused.items())),
        pages=sum(people.values()),
        people_paged=dict(sorted(people.items())),
        paged_incidents=len(paged),
        unattended_s=sum(
            _recovery(d) for d in chosen if d.incident.resolved_at is not None and d not in paged
        ),
        median_recovery_s=recoveries[len(recoveries) // 2] if recoveries else None,
        would_have=tuple(would),
        oncall=oncall(chosen, until - since, zones or {}, hours),
    )


def would_have(explanations: Sequence[Explanation], events: Iterable[Event]) -> list[WouldHave]:
    """Rungs that nothing but the leash held back, each once: refused for it alone, or proposed and never approved."""
    seen: dict[str, WouldHave] = {}
    for asked in explanations:
        names = {gate.name for gate in asked.refusals}
        if names and names <= POLICY_GATES:
            seen.setdefault(
                asked.rung, WouldHave(asked.incident, asked.at, asked.rung, asked.refusals[0].name)
            )
    proposed: dict[str, WouldHave] = {}
    for event in events:
        rung = str(event.data.get("rung", ""))
        if event.kind is Kind.PROPOSED:
            proposed[rung] = WouldHave(event.incident, event.at, rung, "approval")
        elif event.kind is Kind.APPROVED:
            proposed.pop(rung, None)
    return sorted(
        [*seen.values(), *(p for p in proposed.values() if p.rung not in seen)], key=lambda would: would.at
    )


def refusals(events: Iterable[Event]) -> list[Event]:
    """The timeline rows that record a refusal, oldest first."""
    return [
        event
        for event in events
        if event.kind is Kind.SKIPPED or (event.kind is Kind.GATES and not event.data.get("allowed"))
    ]


def _last_of_each_rung(explanations: Sequence[Explanation]) -> list[Explanation]:
    return list({asked.rung: asked for asked in explanations}.values())


def _mended(dossier: Dossier) -> bool:
    """Whether a rung ended it; what a person closed is not verified."""
    closed = any(event.kind is Kind.CLOSED for event in dossier.events)
    return dossier.incident.resolved_by not in {None, "self"} and not closed


def _recovery(dossier: Dossier) -> float:
    incident = dossier.incident
    return (incident.resolved_at or incident.detected_at) - incident.detected_at
