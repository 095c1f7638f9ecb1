"""Bundles: one message about several incidents, the worst first. What it has no room for is counted, and stands in a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from daemon.document.dossier import Dossier
from daemon.document.sentence import sentence
from daemon.document.words import complaint
from daemon.escalate.graphemes import clean, line
from daemon.escalate.message import Message
from daemon.escalate.outbox import begin
from daemon.escalate.owed import BATCH, MAYBE
from daemon.escalate.pacing import BUNDLE, TOGETHER, Sort, sort_of
from daemon.escalate.text import HEADLINE, Reader
from daemon.incidents.model import SEVERITIES, Incident
from daemon.incidents.records import Delivery, PageEvent

TOLD = 10
"""Incidents that have a sentence; of the others the id."""
MOST = 1_000
"""Rows that go in one message, so that one transaction stays short; more wait for the next."""
_IDS = 200
"""Ids in one paragraph: some 2 000 characters, which every channel takes."""
_TAGS = {"critical": "CRIT", "high": "HIGH", "medium": "MED", "low": "LOW"}
_ORDER = (PageEvent.TRIGGER, PageEvent.ESCALATE, PageEvent.REMIND)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that waits, and how bad what it tells of is."""

    row: Delivery
    incident: Incident | None
    severity: str

    @property
    def rank(self) -> tuple[int, float, str]:
        """Ascending: the worst first, then the oldest."""
        known = self.severity in SEVERITIES
        return (
            SEVERITIES.index(self.severity) if known else len(SEVERITIES),
            self.row.created_at,
            self.row.key,
        )


def begun(rows: Sequence[Delivery], job_key: str, now: float) -> tuple[Delivery, ...]:
    """The rows as one job has them. Which message they are part of never changes: a retry has the same key."""
    name = name_of(rows)
    return tuple(
        replace(
            begin(row),
            due_at=min(row.due_at, now),
            facts={**row.facts, BATCH: job_key, BUNDLE: name, TOGETHER: row.facts.get(TOGETHER, len(rows))},
        )
        for row in rows
    )


def name_of(rows: Sequence[Delivery]) -> str:
    """The key of the message that carries these rows."""
    return str(rows[0].facts.get(BUNDLE) or f"{rows[0].key}+{len(rows) - 1}")


def first_of(name: str) -> str:
    """The key of the first row of a message of that name."""
    return name.rpartition("+")[0] or name


def compose(
    waiting: Sequence[Waiting], dossiers: Sequence[Dossier], reader: Reader, now: float, *, before: bool
) -> Message:
    """One message about all of them. `waiting`: worst first; `dossiers`: of the first ones. `before`: some went before."""
    sort = sort_of(waiting[0].row.event)
    told = {dossier.incident.id: dossier for dossier in dossiers}
    base = reader.public_url.rstrip("/")
    rest = [one for one in waiting if one.row.incident not in told]
    parts = [*_lines(waiting, told, reader.zone, now), _how(sort, base), *_others(rest, sort)]
    links = (("All incidents", f"{base}/incidents"),) if base else ()
    first = dossiers[0].incident if dossiers else None
    headline = _headline(waiting, sort, first, before=before)
    return _message(waiting, headline, tuple(clean(part) for part in parts), reader.environment, links, now)


def bare(waiting: Sequence[Waiting], now: float, *, before: bool = False) -> Message:
    """The least that tells of all of them, made from the rows alone."""
    sort = sort_of(waiting[0].row.event)
    headline = _headline(waiting, sort, None, before=before)
    return _message(waiting, headline, (_how(sort, ""), *_others(waiting, sort)), "", (), now)


def _message(
    waiting: Sequence[Waiting], headline: str, parts: tuple[str, ...], environment: str,
    links: tuple[tuple[str, str], ...], now: float,
) -> Message:  # fmt: skip
    rows = [one.row for one in waiting]
    name = name_of(rows)
    events = {row.event for row in rows}
    mildest = PageEvent.RESOLVE if PageEvent.RESOLVE in events else PageEvent.STATUS
    return Message(
        key=name,
        dedup_key=f"fleetmend/many/{name}",
        incident=rows[0].incident,
        event=next((event for event in _ORDER if event in events), mildest),
        severity=waiting[0].severity,
        level=max(row.level for row in rows),
        headline=line(headline, HEADLINE),
        at=now,
        parts=parts,
        source=f"{len(rows)} incidents",
        group=environment,
        links=links,
        maybe=any(row.receipt.startswith(MAYBE) for row in rows),
        several=tuple(row.incident for row in rows),
    )


def _headline(waiting: Sequence[Waiting], sort: Sort, first: Incident | None, *, before: bool) -> str:
    """Of a message that is tried again, one incident may be left."""
    count = len(waiting)
    many = "1 incident" if count == 1 else f"{count} incidents"
    words = complaint(first) if first is not None else None
    if sort is Sort.RESOLVE:
        names = f", {words.subject} among them" if words else ""
        return f"[OVER] {many} {'is' if count == 1 else 'are'} over{names}"
    if sort is Sort.NOTE:
        names = f", {words.subject} among them" if words else ""
        return f"[NOTE] News of {many}{names}"
    worst = f", worst: {words.subject} {words.now}" if words else ""
    how_many = many.replace(" ", " more ", 1) if before else f"{many} at once"
    return f"[{_tag(waiting[0])}] {how_many}{worst}"


def _tag(one: Waiting) -> str:
    return f"{_TAGS.get(one.severity, one.severity.upper())} L{one.row.level}"


def _how(sort: Sort, base: str) -> str:
    where = f"{base}/incidents, or fleetmend incidents" if base else "fleetmend incidents"
    answer = ". Acknowledge each: fleetmend ack ID" if sort is Sort.PAGE else ""
    return f"All of them: {where}{answer}"


def _lines(waiting: Sequence[Waiting], told: dict[str, Dossier], zone: str, now: float) -> Iterator[str]:
    for one in waiting:
        dossier = told.get(one.row.incident)
        if dossier is None:
            continue
        sort = sort_of(one.row.event)
        tag = f" [{_tag(one)}]" if sort is Sort.PAGE else ""
        news = str(one.row.facts.get("text") or "") if sort is Sort.NOTE else ""
        yield f"{one.row.incident}{tag}: {news + '. ' if news else ''}{sentence(dossier, now, zone)}"


def _others(waiting: Sequence[Waiting], sort: Sort) -> Iterator[str]:
    """Those without a sentence, by how bad they are."""
    by_severity: dict[str, list[str]] = {}
    for one in waiting:
        by_severity.setdefault(one.severity if sort is Sort.PAGE else "", []).append(one.row.incident)
    for severity, ids in by_severity.items():
        for start in range(0, len(ids), _IDS):
            some = ids[start : start + _IDS]
            yield f"{len(some)} {severity + ' ' if severity else ''}more: {' '.join(some)}"
