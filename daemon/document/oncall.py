"""What being on call came to over a span of time: how fast, how often, at what hour, and by what. From rows alone.

A length that was never measured is left out, not taken for zero.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from zoneinfo import ZoneInfo

from config.escalation import WorkingHours
from config.schedules import DAYS
from daemon.document.dossier import Dossier
from daemon.document.log import PAGES, between, called, marks
from daemon.incidents.records import Delivery, DeliveryState, PageEvent

BUNDLE, WAITED = "bundle", "waited"
"""In the facts of a delivery: the message that carried it with others; since when it had to wait its turn."""
WEEK = 7 * 86_400.0
MOST_NOISY = 10


@dataclass(frozen=True, slots=True)
class Spread:
    """Lengths in seconds. `p95_s`: the smallest that at least 95 % do not exceed."""

    count: int
    median_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Response:
    """One failure mode. `detect`: first breach to detection; `act`: detection to the first action; `recover`: first breach
    to recovery, or to the end where no rung was verified; `acknowledge`: first page accepted to acknowledgement.
    """

    failure_mode: str
    incidents: int
    detect: Spread | None
    act: Spread | None
    recover: Spread | None
    acknowledge: Spread | None


@dataclass(frozen=True, slots=True)
class Called:
    """One person. `messages`: what `pages` came in, as several pages may go as one. `outside`: pages outside of working
    hours by the person's clock, None where nobody knows those hours. `weeks`: ISO week by that clock to pages.
    """

    person: str
    pages: int
    messages: int
    per_week: float
    outside: int | None
    weeks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Noise:
    """What one detector brought. `by_itself`: incidents that went away with nobody called and no rung at it."""

    detector: str
    incidents: int
    pages: int
    by_itself: int


@dataclass(frozen=True, slots=True)
class OnCall:
    """`mended_by`: playbook and rung to incidents. `after_people`: ended by no rung after people had been called.

    `escalations`: level above L1 to incidents that reached it. `merged`: pages that went in a message with others;
    `deferred`: pages that had to wait their turn.
    """

    response: tuple[Response, ...]
    people: tuple[Called, ...]
    noisiest: tuple[Noise, ...]
    mended_by: Mapping[str, int]
    after_people: int
    escalations: Mapping[str, int]
    merged: int
    deferred: int


def oncall(
    dossiers: Sequence[Dossier], seconds: float, zones: Mapping[str, str], hours: WorkingHours | None
) -> OnCall:
    """Of these incidents, which were detected within so many `seconds`. `zones`: person to IANA name, UTC for others."""
    pages = [row for dossier in dossiers for row in _accepted(dossier)]
    return OnCall(
        response=tuple(_response(dossiers)),
        people=tuple(_people(pages, seconds, zones, hours)),
        noisiest=_noisiest(dossiers),
        mended_by=dict(sorted(Counter(name for d in dossiers if (name := _mender(d))).items())),
        after_people=sum(d.incident.resolved_by == "self" and called(d) for d in dossiers),
        escalations=dict(sorted(Counter(name for d in dossiers for name in _above(d)).items())),
        merged=sum(BUNDLE in row.facts for row in pages),
        deferred=sum(WAITED in row.facts for d in dossiers for row in d.deliveries if row.event in PAGES),
    )


def outside(at: float, zone: str, hours: WorkingHours) -> bool:
    """Whether `at` is outside of working hours by the clock of `zone`."""
    local = datetime.fromtimestamp(at, ZoneInfo(zone))
    minutes = local.hour * 60 + local.minute
    return DAYS[local.weekday()] not in hours.days or not hours.from_.minutes <= minutes < hours.to.minutes


def spread(lengths: Iterable[float | None]) -> Spread | None:
    """None where nothing is known."""
    known = sorted(each for each in lengths if each is not None)
    if not known:
        return None
    return Spread(len(known), median(known), known[math.ceil(0.95 * len(known)) - 1])


def _response(dossiers: Sequence[Dossier]) -> Iterable[Response]:
    by_mode: dict[str, list[Dossier]] = defaultdict(list)
    for dossier in dossiers:
        by_mode[dossier.incident.failure_mode].append(dossier)
    for mode, found in sorted(by_mode.items()):
        at = [marks(dossier) for dossier in found]
        yield Response(
            mode,
            len(found),
            detect=spread(d.incident.detected_at - d.incident.began_at for d in found),
            act=spread(between(mark.detected, mark.acted) for mark in at),
            recover=spread(_recovery(dossier) for dossier in found),
            acknowledge=spread(between(mark.paged, mark.acked) for mark in at),
        )


def _recovery(dossier: Dossier) -> float | None:
    """What a person closed without verification did not recover as far as anybody knows."""
    incident = dossier.incident
    end = incident.recovered_at if incident.recovered_at is not None else incident.resolved_at
    return None if end is None or incident.state == "closed" else end - incident.began_at


def _accepted(dossier: Dossier) -> list[Delivery]:
    return [row for row in dossier.deliveries if row.event in PAGES and row.state is DeliveryState.ACCEPTED]


def _people(
    pages: Iterable[Delivery], seconds: float, zones: Mapping[str, str], hours: WorkingHours | None
) -> Iterable[Called]:
    by_person: dict[str, list[Delivery]] = defaultdict(list)
    for row in pages:
        by_person[row.person].append(row)
    for person, rows in sorted(by_person.items(), key=lambda each: (-len(each[1]), each[0])):
        zone = zones.get(person, "UTC")
        times = [row.sent_at if row.sent_at is not None else row.created_at for row in rows]
        yield Called(
            person,
            pages=len(rows),
            messages=len({row.facts.get(BUNDLE, row.key) for row in rows}),
            per_week=len(rows) * WEEK / seconds,
            outside=None if hours is None else sum(outside(at, zone, hours) for at in times),
            weeks=dict(sorted(Counter(_week(at, zone) for at in times).items())),
        )


def _week(at: float, zone: str) -> str:
    year, week, _ = datetime.fromtimestamp(at, ZoneInfo(zone)).isocalendar()
    return f"{year}-W{week:02d}"


def _noisiest(dossiers: Iterable[Dossier]) -> tuple[Noise, ...]:
    """By pages, then by incidents: who wakes people first."""
    found: dict[str, list[Dossier]] = defaultdict(list)
    for dossier in dossiers:
        for name in {finding.detector for finding in dossier.incident.findings}:
            found[name].append(dossier)
    rows = [
        Noise(
            name,
            len(brought),
            sum(len(_accepted(dossier)) for dossier in brought),
            sum(_by_itself(dossier) for dossier in brought),
        )
        for name, brought in found.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.pages, -row.incidents, row.detector))[:MOST_NOISY])


def _by_itself(dossier: Dossier) -> bool:
    acted = any(attempt.started_at is not None for attempt in dossier.attempts)
    return dossier.incident.resolved_by == "self" and not called(dossier) and not acted


def _mender(dossier: Dossier) -> str:
    """Playbook and rung; empty where it was none."""
    incident = dossier.incident
    if incident.resolved_by in {None, "self"} or incident.state == "closed":
        return ""
    return f"{incident.playbook}: {incident.resolved_by}" if incident.playbook else str(incident.resolved_by)


def _above(dossier: Dossier) -> set[str]:
    """Levels above L1 that were told."""
    return {
        f"L{row.level}" for row in _accepted(dossier) if row.level > 1 and row.event is PageEvent.ESCALATE
    }
