"""What is configured, as JSON models: detectors, playbooks, the loaded configuration, who is on call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from config.schedules import ScheduleSpec
from config.section import SEVERITY_OF, Autonomy
from config.units import format_duration, format_share
from daemon.desk import ladders, models, reports
from daemon.desk.known import Known
from daemon.desk.records import earned
from daemon.desk.snapshot import Snapshot
from daemon.escalate.booked import NOTHING, Booked
from daemon.escalate.rota import Shift, next_shifts, shifts
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Phase
from daemon.store.unit import UnitOfWork
from detectors.promql import promql
from detectors.rule import signal_of
from detectors.spec import Condition, DetectorSpec, Measured, PrometheusSource, SignalSpec, Source
from remediations.spec import Rung, action_of

LOOKED_AT = 200
"""Incidents whose journal counts towards a rung's success so far."""


def detectors(uow: UnitOfWork, known: Known, live: Snapshot | None) -> models.Detectors:
    """Every detector and its scopes: all of them by the snapshot, those of open incidents by the store alone."""
    rows = () if live else uow.incidents.open()
    return models.Detectors(
        detectors=[
            models.Detector(
                name=name,
                failure_mode=spec.failure_mode,
                severity=spec.severity or SEVERITY_OF[spec.failure_mode],
                source=spec.source,
                signal=signal_text(spec.signal),
                fire=condition_text(spec.fire),
                clear=condition_text(spec.clear) if spec.clear else f"not {condition_text(spec.fire)}",
                query=(query := query_of(spec)),
                link=link_of(query, known.sources.get(spec.source or next(iter(known.sources), ""))),
                scopes=_live_scopes(name, live) if live else _stored_scopes(name, rows),
            )
            for name, spec in sorted(known.detectors.items())
            if spec.enabled
        ]
    )


def query_of(spec: DetectorSpec) -> str | None:
    """The signal as a person may ask for it in a Prometheus; None for a probe, which nobody can."""
    signal = signal_of(spec.signal, spec.minimum)
    return None if signal.kind == "probe" else promql(signal)


def link_of(query: str | None, source: Source | None) -> str | None:
    """The page of a Prometheus that draws the last hour of a query."""
    if query is None or not isinstance(source, PrometheusSource):
        return None
    asked = urlencode({"g0.expr": query, "g0.tab": "0", "g0.range_input": "1h"})
    return f"{str(source.url).rstrip('/')}/graph?{asked}"


def signal_text(signal: SignalSpec) -> str:
    """`ratio of A to B by tier in 1m`; `peers below rate of A by provider in 1m`."""
    if isinstance(signal.body, str):
        return f"{signal.kind} {signal.body}"
    if signal.peers is not None:
        return f"peers {signal.peers.direction} {_measured_text(signal.peers.signal)}"
    if signal.baseline is not None:
        return f"baseline {signal.baseline.direction} {signal_text(signal.baseline.signal)}"
    return _measured_text(signal)


def _measured_text(signal: Measured) -> str:
    body = signal.body
    parts = [signal.kind]
    for word in ("of", "to"):
        names = getattr(body, word, ())
        if names:
            parts.append(f"{word} {' + '.join((names,) if isinstance(names, str) else names)}")
    if getattr(body, "bound", None) is not None:
        parts.append(f"over {body.bound:g}")
    if getattr(body, "objective", None) is not None:
        parts.append(f"against {format_share(body.objective)}")
    if getattr(body, "by", ()):
        parts.append(f"by {', '.join(body.by)}")
    if getattr(body, "window", None):
        parts.append(f"in {format_duration(body.window)}")
    return " ".join(parts)


def condition_text(condition: Condition) -> str:
    """`above 0.01 for 5m`."""
    last = f" in {condition.of_last}" if condition.of_last else ""
    hold = f" for {format_duration(condition.for_)}" if condition.for_ else ""
    return f"{condition.op} {condition.threshold:g}{hold}{last}"


def playbooks(uow: UnitOfWork, known: Known, now: float) -> ladders.Playbooks:
    """Every ladder, what may be done by itself, and how often each rung was tried and mended it."""
    recent = uow.incidents.search(limit=LOOKED_AT).incidents
    attempts = [attempt for row in recent for attempt in uow.attempts.of(row.id)]
    return ladders.Playbooks(
        playbooks=[
            ladders.Playbook(
                name=name,
                failure_mode=book.failure_mode,
                match={label: _listed(wanted) for label, wanted in book.match.items()},
                deadline_s=book.deadline,
                escalation=book.escalation,
                cooldown_s=book.guardrails.cooldown,
                budget=str(book.guardrails.budget),
                ladder=[
                    _rung(name, rung, known.autonomy, attempts, earned(uow, known, name, rung, now))
                    for rung in book.ladder
                ],
            )
            for name, book in sorted(known.playbooks.items())
            if book.enabled
        ]
    )


def config(known: Known, live: Snapshot | None) -> models.Config:
    """What is loaded and since when; secrets as references only."""
    return models.Config(
        files=[*known.files],
        loaded_at=live.config_loaded_at if live else None,
        digest=known.digest,
        refused=[*live.refused] if live else [],
        data=dict(known.data),
    )


LONGEST_AHEAD = 400 * 86400.0
"""Seconds: a year with both its clock changes."""


def oncall(uow: UnitOfWork, known: Known, now: float, ahead: float = 0.0) -> models.Oncall:
    """Who has each schedule now (nobody before a rotation starts), until when, and who follows.

    `ahead`: seconds for which all turns are listed, at most `LONGEST_AHEAD`.
    """
    duties = []
    calendars = {name: Booked.from_data(data) for name, data in uow.checkpoints.calendars().items()}
    for name, spec in sorted(known.schedules.items()):
        booked = calendars.get(name, NOTHING) if spec.calendar is not None else NOTHING
        present, following = (*next_shifts(spec, now, 2, booked), None, None)[:2]
        duties.append(
            models.Duty(
                schedule=name,
                timezone=spec.timezone,
                now=_people(known, present.person) if present else [],
                until=present.end if present else None,
                next=_people(known, following.person) if following else [],
                calendar_read_at=booked.read_at or None,
            )
        )
    turns = _turns(known, calendars, now, min(ahead, LONGEST_AHEAD)) if ahead > 0 else []
    return models.Oncall(oncall=duties, turns=turns)


def _turns(known: Known, calendars: Mapping[str, Booked], now: float, ahead: float) -> list[models.Turn]:
    turns = []
    for name, spec in sorted(known.schedules.items()):
        booked = calendars.get(name, NOTHING) if spec.calendar is not None else NOTHING
        turns += [
            models.Turn(
                schedule=name,
                start=shift.start,
                end=shift.end,
                who=_people(known, shift.person),
                people=[] if shift.person is None else [shift.person],
            )
            for shift in _whole(shifts(spec, now, now + ahead, booked), spec, now, booked)
        ]
    return sorted(turns, key=lambda turn: turn.start)


def _whole(found: tuple[Shift, ...], spec: ScheduleSpec, now: float, booked: Booked) -> tuple[Shift, ...]:
    """The present turn from its beginning on, which does not move with every question."""
    began = next_shifts(spec, now, 1, booked)[:1]
    if found and began and began[0].start <= now:
        return (replace(found[0], start=began[0].start), *found[1:])
    return found


@dataclass(frozen=True, slots=True)
class Record:
    """How often a rung was begun, and how often its effect was verified."""

    tried: int
    recovered: int


def record_of(playbook: str, rung: str, attempts: Iterable[Attempt]) -> Record:
    """A rung's record by the journal; a contain rung counts when it contained."""
    mine = [
        attempt
        for attempt in attempts
        if attempt.playbook == playbook
        and attempt.rung == rung
        and attempt.phase is Phase.DO
        and attempt.mends
        and attempt.started_at is not None
    ]
    worked = sum(attempt.verdict in {"recovered", "contained"} for attempt in mine)
    return Record(len(mine), worked)


def _rung(
    playbook: str,
    rung: Rung,
    ceiling: Autonomy,
    attempts: Iterable[Attempt],
    by_record: reports.Earned | None,
) -> ladders.PlaybookRung:
    levels = [rung.autonomy, ceiling]
    if by_record is not None and by_record.demoted:
        levels.append(Autonomy.PROPOSE)
    record = record_of(playbook, rung.name, attempts)
    return ladders.PlaybookRung(
        name=rung.name,
        kind=rung.kind,
        action=action_of(rung.do)[0],
        when=rung.when,
        require=rung.require,
        autonomy=min(levels, key=lambda level: level.rank),
        tried=record.tried,
        recovered=record.recovered,
        earned=by_record,
    )


def _live_scopes(name: str, live: Snapshot) -> list[models.DetectorScope]:
    return [
        models.DetectorScope(scope=dict(cell.scope), state=cell.state, value=cell.value, since=cell.since)
        for cells in live.cells.values()
        for cell in cells
        if cell.detector == name
    ]


def _stored_scopes(name: str, rows: Iterable[Incident]) -> list[models.DetectorScope]:
    return [
        models.DetectorScope(
            scope=dict(row.scope), state=finding.state, value=finding.value, since=finding.since
        )
        for row in rows
        for finding in row.findings
        if finding.detector == name
    ]


def _people(known: Known, name: str | None) -> list[str]:
    if name is None:
        return []
    person = known.people.get(name)
    return [person.name if person else name]


def _listed(wanted: str | tuple[str, ...]) -> str | list[str]:
    return wanted if isinstance(wanted, str) else [*wanted]
