"""Healing: which rungs mend a fault, and which merely stand by while it heals by itself. From the record alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from config.units import format_duration
from daemon.desk import reports
from daemon.desk.known import Known
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Phase
from daemon.store.incidents import Cursor
from daemon.store.unit import UnitOfWork
from detectors.modes import MODES
from remediations.counterfactual import Alone, Comparison, Judgement, Trial, compare
from remediations.verification import Verdict

MOST = 1_000
"""Incidents of one failure mode that are looked at, the newest."""
_AT_ONCE = 500
_JUDGED = frozenset({Verdict.RECOVERED, Verdict.NOT_RECOVERED})

Kind = tuple[str, tuple[str, ...]]
"""Failure mode, and the names of the scope's labels: faults of one kind are held against each other."""
Named = tuple[str, str]
"""Playbook and rung."""


@dataclass(slots=True)
class _Record:
    """Of one kind of fault: every rung's attempts, and the faults for as long as they were left alone."""

    trials: dict[Named, list[Trial]] = field(default_factory=lambda: defaultdict(list))
    alone: list[Alone] = field(default_factory=list)


def helped(uow: UnitOfWork, known: Known, now: float) -> Iterator[reports.Helped]:
    """Every rung with a verdict in the window; nothing where it is not asked for."""
    if known.counterfactual is None:
        return
    for mode in MODES:
        for (_, labels), record in sorted(
            _records(uow, str(mode), now - known.counterfactual.window).items()
        ):
            for (playbook, rung), trials in sorted(record.trials.items()):
                found = compare(trials, record.alone, known.counterfactual.minimum)
                yield _told(str(mode), labels, playbook, rung, found)


def helped_here(uow: UnitOfWork, known: Known, incident: Incident, now: float) -> reports.Helped | None:
    """The same of the rung that this incident was recovered by."""
    if known.counterfactual is None or incident.recovered_by is None:
        return None
    kind = _kind(incident)
    record = _records(uow, incident.failure_mode, now - known.counterfactual.window).get(kind)
    named = (incident.playbook or "", incident.recovered_by)
    if record is None or named not in record.trials:
        return None
    found = compare(record.trials[named], record.alone, known.counterfactual.minimum)
    return _told(*kind, *named, found)


def _records(uow: UnitOfWork, mode: str, since: float) -> dict[Kind, _Record]:
    found: dict[Kind, _Record] = defaultdict(_Record)
    after: Cursor | None = None
    seen = 0
    while seen < MOST:
        page = uow.incidents.search(modes=(mode,), since=since, after=after, limit=_AT_ONCE)
        for incident in page.incidents:
            _count(found[_kind(incident)], incident, uow.attempts.of(incident.id))
        seen += len(page.incidents)
        after = page.next
        if after is None:
            break
    return found


def _count(record: _Record, incident: Incident, attempts: Sequence[Attempt]) -> None:
    """What nobody touched lasted until it healed; what was touched was left alone until then."""
    begun = [attempt.started_at for attempt in attempts if attempt.started_at is not None]
    until = min(begun, default=incident.resolved_at)
    if until is not None:
        healed = not begun and incident.resolved_by == "self"
        record.alone.append(Alone(until - incident.detected_at, healed=healed))
    for attempt in attempts:
        if attempt.phase is Phase.DO and attempt.verdict in _JUDGED:
            started, ended = attempt.started_at, attempt.verdict_at
            if started is not None and ended is not None:
                recovered = attempt.verdict == Verdict.RECOVERED
                trial = Trial(started - incident.detected_at, ended - started, recovered=recovered)
                record.trials[attempt.playbook, attempt.rung].append(trial)


def _kind(incident: Incident) -> Kind:
    return incident.failure_mode, tuple(name for name, _ in incident.scope)


def _told(mode: str, labels: tuple[str, ...], playbook: str, rung: str, found: Comparison) -> reports.Helped:
    return reports.Helped(
        failure_mode=mode,
        labels=list(labels),
        playbook=playbook,
        rung=rung,
        judgement=found.judgement,
        recovered=found.recovered,
        tried=found.tried,
        healed=found.healed,
        left=found.left,
        after_s=round(found.after, 1),
        within_s=round(found.within, 1),
        gain=None if found.gain is None else [round(bound, 4) for bound in found.gain],
        alone_s=None if found.alone_s is None else round(found.alone_s, 1),
        text=_text(found),
    )


def _text(found: Comparison) -> str:
    """`recovered 8 of 8; of 10 left alone 1 healed by itself within 3m: effective (at least 52 % more)`."""
    within = format_duration(round(found.within))
    facts = f"recovered {found.recovered} of {found.tried}"
    facts += f"; of {found.left} left alone for as long {found.healed} healed by themselves within {within}"
    match found.judgement:
        case Judgement.EFFECTIVE if found.gain is not None:
            return f"{facts}: effective, at least {found.gain[0]:.0%} more often"
        case Judgement.COINCIDENT:
            return f"{facts}: no better than leaving it alone, as far as is known"
        case _:
            return f"{facts}: too little is known"
