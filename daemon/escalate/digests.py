"""The daily digest: what is owed to one reader for one day goes out as one message, however many incidents it tells of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from config.scope import joins_parts, scope_key
from daemon.document.dossier import Dossier
from daemon.document.sentence import sentence
from daemon.escalate import handoff
from daemon.escalate.graphemes import clean
from daemon.escalate.handoff import HANDOFF
from daemon.escalate.message import Message
from daemon.escalate.outbox import begin
from daemon.escalate.owed import BATCH
from daemon.escalate.text import Reader
from daemon.incidents.records import Delivery, PageEvent


def groups(owed: Iterable[Delivery], sending: Iterable[Delivery]) -> list[tuple[Delivery, ...]]:
    """Due digest rows by reader and channel, oldest first; none for a reader whose last digest is still under way.

    Those of a hand-off are a message of their own.
    """
    busy = {row.address for row in sending if row.event is PageEvent.DIGEST}
    found: dict[tuple[str, str], list[Delivery]] = {}
    for row in sorted(owed, key=lambda row: (row.created_at, row.key)):
        if row.event is PageEvent.DIGEST and row.address not in busy:
            found.setdefault((row.address, str(row.facts.get(HANDOFF, ""))), []).append(row)
    return [tuple(rows) for rows in found.values()]


def begun(rows: Sequence[Delivery], job_key: str) -> tuple[Delivery, ...]:
    """The rows as one job has them."""
    return tuple(replace(begin(row), facts={**row.facts, BATCH: job_key}) for row in rows)


def carried(sending: Iterable[Delivery], job_key: str) -> tuple[Delivery, ...]:
    """The rows that a job has."""
    return tuple(row for row in sending if row.facts.get(BATCH) == job_key)


def compose(rows: Sequence[Delivery], dossiers: Sequence[Dossier], reader: Reader, now: float) -> Message:
    """One message: a line for each incident, those still open first. Key and thread are of the first row.

    A hand-off is told in its own words.

    What came of parts of the same provider is one line, however often it came.
    """
    if HANDOFF in rows[0].facts:
        return handoff.compose(rows, dossiers, reader, now)
    lines: dict[str, list[Dossier]] = {}
    for dossier in sorted(dossiers, key=lambda one: (one.incident.ended, one.incident.detected_at)):
        incident = dossier.incident
        joined = joins_parts(incident.scope)
        same = f"{incident.failure_mode} {scope_key(incident.scope)}" if joined else incident.id
        lines.setdefault(same, []).append(dossier)
    still_open = sum(1 for told in lines.values() if not told[0].incident.ended)
    first = rows[0]
    return Message(
        key=first.key,
        dedup_key=f"fleetmend/digest/{first.person}",
        incident=first.incident,
        event=PageEvent.DIGEST,
        severity="low",
        level=0,
        headline=f"[DIGEST] {len(lines)} low incident(s), {still_open} still open",
        at=now,
        parts=tuple(clean(_line(told, now, reader.zone)) for told in lines.values()),
        group=reader.environment,
        links=(("All incidents", f"{reader.public_url.rstrip('/')}/incidents"),) if reader.public_url else (),
    )


def _line(told: Sequence[Dossier], now: float, zone: str) -> str:
    """The one that is open, else the first; what came again is counted, not told again."""
    incident = told[0].incident
    line = f"{incident.id}: {sentence(told[0], now, zone)}"
    if joins_parts(incident.scope):
        line = f"{line} {incident.impact.text}."
    return line if len(told) == 1 else f"{line} {len(told)} times since the last digest."
