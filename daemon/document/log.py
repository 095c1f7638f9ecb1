"""Log: a timeline with its row numbers, and the moments that everything people measure is measured from."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from daemon.document.dossier import Dossier
from daemon.incidents.events import Event, Kind
from daemon.incidents.records import Delivery, PageEvent

PAGES = frozenset({PageEvent.TRIGGER, PageEvent.REMIND, PageEvent.ESCALATE})
"""What asks for hands."""
Numbered = tuple[int, Event]


class Log:
    """`rows`: (number from 1, event), in the order in which they were written."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.rows: tuple[Numbered, ...] = tuple(enumerate(events, 1))

    def all(self, *kinds: Kind) -> list[Numbered]:
        return [(row, event) for row, event in self.rows if event.kind in kinds]

    def first(self, *kinds: Kind) -> Numbered | None:
        return next(iter(self.all(*kinds)), None)

    def last(self, *kinds: Kind) -> Numbered | None:
        return next(reversed(self.all(*kinds)), None)

    def about(self, key: str) -> tuple[int, ...]:
        """Rows that name an attempt or a delivery by its key."""
        return tuple(row for row, event in self.rows if event.data.get("key") == key)

    def first_about(self, keys: Collection[str], *kinds: Kind) -> Numbered | None:
        """The first row of these kinds that names one of `keys`."""
        return next((each for each in self.all(*kinds) if each[1].data.get("key") in keys), None)


@dataclass(frozen=True, slots=True)
class Marks:
    """The first of each; None where it did not happen, or nobody wrote it down. `over`: the last end of all."""

    detected: Numbered | None
    acted: Numbered | None
    owed: Numbered | None
    paged: Numbered | None
    acked: Numbered | None
    recovered: Numbered | None
    over: Numbered | None


def marks(dossier: Dossier, log: Log | None = None) -> Marks:
    """The moments of one incident. A heads-up is no page."""
    log = log or Log(dossier.events)
    pages = {row.key for row in dossier.deliveries if row.event in PAGES}
    return Marks(
        detected=log.first(Kind.DETECTED),
        acted=log.first(Kind.STARTED),
        owed=log.first_about(pages, Kind.OWED),
        paged=log.first_about(pages, Kind.SENT),
        acked=log.first(Kind.ACKED),
        recovered=log.first(Kind.RECOVERED),
        over=log.last(Kind.RESOLVED, Kind.CLOSED) if dossier.incident.ended else None,
    )


def called(dossier: Dossier) -> bool:
    """Whether anybody was paged."""
    return any(row.event in PAGES for row in dossier.deliveries)


def receipts(page: Delivery) -> list[tuple[str, float]]:
    """What its provider said of a page and when: `accepted`, then `delivered`, `undelivered`, `seen`, `acked`; by time."""
    taken = [("accepted", page.sent_at)] if page.sent_at is not None else []
    return sorted([*taken, *page.heard.items()], key=lambda said: said[1])


def between(one: Numbered | None, other: Numbered | None) -> float | None:
    """Seconds from one moment to another; None where one of them is not known."""
    return None if one is None or other is None else other[1].at - one[1].at
