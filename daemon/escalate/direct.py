"""Pages about the daemon itself that cannot wait for a row: the store is sick, so nothing can be owed.

The one exception to "nothing leaves before its commit". The deduplication key is fixed, so that repeats and restarts
join one alert; what was sent is kept until the store writes again and can record it. Whom it was sent to is kept
beside the store (`told.py`), so that the end reaches them whichever daemon sees it.
"""

from __future__ import annotations

from collections.abc import Iterable

from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import AddressBook, Entry
from daemon.escalate.graphemes import line
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.escalate.post import deliver
from daemon.escalate.rules import Policy
from daemon.escalate.schedules import Directory, Person
from daemon.escalate.text import HEADLINE
from daemon.escalate.told import Told
from daemon.incidents.events import Event, Kind
from daemon.incidents.records import PageEvent

NO_INCIDENT = "-"
AGAIN_AFTER = 1800.0
"""Seconds after which a daemon that starts again and still cannot work pages anew; sooner, its page stands."""
SEND_WITHIN = 30.0


class DirectPager:
    """Used by one worker at a time. A trouble is paged once; what failed everywhere is tried again at the next call."""

    def __init__(
        self, directory: Directory, policy: Policy, book: AddressBook, doors: Doors, kept: Told
    ) -> None:
        self._directory = directory
        self._policy = policy
        self._book = book
        self._doors = doors
        self._kept = kept
        self._told: dict[str, dict[str, Entry]] = {}
        self._about: dict[str, frozenset[str]] = {}
        self._events: list[Event] = []

    def page(self, part: str, reason: str, now: float, about: Iterable[str] = ()) -> bool:
        """Tell the first level that can be reached that `part` of the daemon (`store`) is in trouble; whether it was.

        `about`: what else people must know of now, as nobody else tells them; they are told again when it grows.
        """
        known = frozenset(about)
        if part in self._told and known <= self._about[part]:
            return True
        for number, level in enumerate(self._policy.levels, 1):
            message = _message(part, reason, number, PageEvent.TRIGGER, now)
            told: dict[str, Entry] = {}
            for person in self._directory.at(now).people(level.notify):
                told |= self._told_before(part, person, known, now) or self._tell(part, person, message, now)
            if told:
                self._told[part] = self._told.get(part, {}) | told
                self._about[part] = known | self._about.get(part, frozenset())
                return True
        return False

    def over(self, part: str, text: str, now: float) -> None:
        """The trouble has passed: a resolve to everyone who was told, by a daemon before this one too.

        Whom it did not reach is kept; a later call tells them.
        """
        message = _message(part, text, 1, PageEvent.RESOLVE, now)
        self._about.pop(part, None)
        told = self._told.pop(part, {})
        for about, address, kind in self._kept.listed():
            if about != part:
                continue
            entry = self._book.find(address, kind)
            if entry is None:
                self._kept.forget(part, address, kind)  # nobody's any more
            else:
                told.setdefault(address, entry)
        for address, entry in told.items():
            receipt = self._deliver(message, address, entry, now)
            if receipt.kind in {ReceiptKind.OK, ReceiptKind.PERMANENT}:
                self._kept.forget(part, address, entry.channel.kind)

    def records(self) -> tuple[Event, ...]:
        """What was sent without a row, to be put on the timeline; given once."""
        events, self._events = tuple(self._events), []
        return events

    def _told_before(self, part: str, person: Person, news: frozenset[str], now: float) -> dict[str, Entry]:
        """The channel that took this page from a daemon before this one; nothing where it is to go out.

        One that cannot start is started again every few seconds, and not every channel knows a page again.
        """
        if part in self._told or news:
            return {}
        for way in person.usable:
            address = f"{person.id}/{way.position}"
            entry, at = self._book.find(address, way.kind), self._kept.taken_at(part, address, way.kind)
            if entry is not None and at is not None and 0.0 <= now - at < AGAIN_AFTER:
                return {address: entry}
        return {}

    def _tell(self, part: str, person: Person, message: Message, now: float) -> dict[str, Entry]:
        """One channel after the other until one accepts, or may have."""
        for way in person.usable:
            address = f"{person.id}/{way.position}"
            entry = self._book.find(address, way.kind)
            if entry is None or entry.channel.local:
                continue
            # Before it leaves: whoever is killed in between owes an end rather than forgetting one.
            self._kept.add(part, address, way.kind)
            receipt = self._deliver(message, address, entry, now)
            if receipt.kind in {ReceiptKind.OK, ReceiptKind.AMBIGUOUS}:
                self._kept.taken(part, address, way.kind, now)
                return {address: entry}
            if address not in self._told.get(part, {}):
                self._kept.forget(part, address, way.kind)
        return {}

    def _deliver(self, message: Message, address: str, entry: Entry, now: float) -> Receipt:
        """Send it now, and note what came of it."""
        deadline = self._doors.clock.monotonic() + SEND_WITHIN
        receipt = deliver(message, message, entry, self._book, self._doors, deadline)
        sent = receipt.kind is ReceiptKind.OK
        text = f"{message.headline} ({'sent' if sent else 'not sent'} directly to {address} by {entry.channel.kind})"
        data = {"key": message.key, "receipt" if sent else "error": receipt.detail}
        self._events.append(Event(NO_INCIDENT, now, Kind.SENT if sent else Kind.NOT_SENT, text, data))
        return receipt


def _message(part: str, reason: str, level: int, event: PageEvent, now: float) -> Message:
    state = "OVER" if event is PageEvent.RESOLVE else f"CRIT L{level}"
    return Message(
        key=f"{NO_INCIDENT}/direct/{part}/{event}",
        dedup_key=f"fleetmend/daemon/{part}",
        incident=NO_INCIDENT,
        event=event,
        severity="critical",
        level=level,
        headline=line(f"[{state}] Fleetmend itself: {part}: {reason}", HEADLINE),
        at=now,
        parts=(reason, "Nothing is done to the pipeline meanwhile. See: fleetmend status"),
        source="fleetmend",
        facet="daemon",
    )
