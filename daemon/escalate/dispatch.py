"""Dispatch: which due messages go out now, what each says, and the job that carries it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from daemon.document.dossier import Dossier, load
from daemon.escalate import breaker, bundles, digests, lanes, outbox, text, threads
from daemon.escalate.body import concerns
from daemon.escalate.bookings import dropped, event_of, job_key, merged, sent
from daemon.escalate.channels.registry import BY_KIND
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.escalate.owed import BATCH, PAGES
from daemon.escalate.pacing import BUNDLE
from daemon.escalate.receipts import sent_anew
from daemon.escalate.setup import Setup
from daemon.escalate.text import Around, Reader
from daemon.incidents.change import Change, Job
from daemon.incidents.events import Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import Delivery, FailoverLock, Mute, PageEvent
from daemon.store.unit import UnitOfWork

POST = "post"
"""Kind of the jobs that send."""
SEND_WITHIN = 30.0
"""Seconds a worker has for one message, the short form included."""
DUE_AT_ONCE = 1000
_WEEK = 7 * 86400.0
_DAY = 86400.0


def dispatch(setup: Setup, uow: UnitOfWork, now: float, free_slots: int) -> Change:
    """Hand the due messages to workers: rows marked as being sent, and one job each.

    What nobody needs any more is dropped, and what the console shows is delivered by this very commit.
    """
    return _Dispatch(setup, uow, now).all_due(free_slots)


def _due(uow: UnitOfWork, now: float) -> Sequence[Delivery]:
    """What is due, at most so many: of more the pages first, some of every account, and last what only goes on standing."""
    owed = uow.deliveries.due(now, limit=DUE_AT_ONCE)
    if len(owed) < DUE_AT_ONCE:
        return owed
    place: Counter[str] = Counter()
    ranked = []
    for row in uow.deliveries.due(now, limit=breaker.AT_ONCE):
        name = f"{breaker.account(row)} {sent_anew(row)} {row.event in PAGES}"
        ranked.append(((sent_anew(row), row.event not in PAGES, place[name], row.due_at, row.key), row))
        place[name] += 1
    return [row for _, row in sorted(ranked, key=lambda one: one[0])[:DUE_AT_ONCE]]


class _Dispatch:
    """One look at what is due."""

    def __init__(self, setup: Setup, uow: UnitOfWork, now: float) -> None:
        self._setup, self._uow, self._now = setup, uow, now
        self._scene = _Scene(uow, now)

    def all_due(self, free_slots: int) -> Change:
        owed = _due(self._uow, self._now)
        if not owed:
            return Change()
        sending = self._uow.deliveries.sending()
        rules = self._setup.pacing
        plain = [row for row in owed if row.event is not PageEvent.DIGEST and not rules.paced(row)]
        heads, later = lanes.rated(self._uow, outbox.choose(plain, sending, len(plain)), self._now)
        crowd = lanes.Lanes(self._uow, rules, owed, sending, self._now)
        changes = [*later, *crowd.changes]
        slots = _Slots(free_slots, sending)
        # Only what needs a worker needs a slot; local and unwanted rows are settled without one.
        for going in sorted([*map(lanes.single, heads), *crowd.going], key=lambda going: going.urgency):
            done = self._go(going, slots.left(going.rows[0]))
            changes.append(slots.took(going.rows[0], done))
        for rows in digests.groups(owed, sending):
            done = self._hand_over_digest(rows, slots.left(rows[0]))
            changes.append(slots.took(rows[0], done))
        return merged(changes)

    def _go(self, going: lanes.Going, slots: int) -> Change:
        if len(going.waiting) == 1 and BUNDLE not in going.rows[0].facts:
            return self._hand_over(going.rows[0], slots)
        return self._hand_over_bundle(going) if slots > 0 else Change()

    def _hand_over_bundle(self, going: lanes.Going) -> Change:
        """One message and one job for all of its rows."""
        rows = going.rows
        found = [load(self._uow, row.incident) for row in rows[: bundles.TOLD]]
        plain = bundles.bare(going.waiting, self._now, before=going.before)
        try:
            message = bundles.compose(
                going.waiting,
                [one for one in found if one],
                self._reader(rows[0]),
                self._now,
                before=going.before,
            )
        except Exception:  # noqa: BLE001 - whatever is wrong with the text, the pages go out
            message = plain
        key = job_key(outbox.begin(rows[0]))
        args = _args(rows[0], message) | {"plain": plain}
        job = Job(key, POST, rows[0].incident, self._now + SEND_WITHIN, args)
        return Change(deliveries=bundles.begun(rows, key, self._now), jobs=(job,))

    def _hand_over_digest(self, rows: Sequence[Delivery], slots: int) -> Change:
        if _local(rows[0]):
            return merged([_shown(row, self._now) for row in rows])
        if slots <= 0:
            return Change()
        found = [load(self._uow, row.incident) for row in rows]
        dossiers = list({dossier.incident.id: dossier for dossier in found if dossier}.values())
        try:
            message = digests.compose(rows, dossiers, self._reader(rows[0]), self._now)
        except Exception:  # noqa: BLE001 - whatever is wrong with the text, the digest goes out
            message = text.bare(rows[0], self._now)
        key = job_key(outbox.begin(rows[0]))
        job = Job(key, POST, rows[0].incident, self._now + SEND_WITHIN, _args(rows[0], message))
        return Change(deliveries=digests.begun(rows, key), jobs=(job,))

    def _hand_over(self, row: Delivery, slots: int) -> Change:
        local = _local(row)
        if slots <= 0 and not local:
            return Change()
        dossier = load(self._uow, row.incident)
        rows = self._uow.deliveries.of(row.incident)
        why = outbox.unwanted(
            row, dossier.incident if dossier else None, dossier.escalation if dossier else None, rows
        )
        if why:
            return dropped(row, why, self._now)
        if outbox.waits(row, rows):
            return Change()
        if local:
            return _shown(row, self._now)
        message, parked = self._message(dossier, row)
        message = self._placed(message, dossier, row, rows)
        sending = outbox.begin(row)
        job = Job(job_key(sending), POST, row.incident, self._now + SEND_WITHIN, _args(sending, message))
        events = (
            ()
            if not parked
            else (
                event_of(
                    row,
                    self._now,
                    Kind.DAEMON,
                    f"Page text failed, a plain one goes out: {parked}",
                    what="parked",
                ),
            )
        )
        return Change(deliveries=(sending,), events=events, jobs=(job,))

    def _message(self, dossier: Dossier | None, row: Delivery) -> tuple[Message, str]:
        """The text, and why it is only the bare one, if it is. One bad incident must not stop the queue."""
        if dossier is None:
            return text.bare(row, self._now), ""
        try:
            return text.compose(
                dossier, row, self._reader(row), self._scene.around(dossier.incident), self._now
            ), ""
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the text, the page goes out
            return text.bare(row, self._now), type(error).__name__

    def _placed(
        self, message: Message, dossier: Dossier | None, row: Delivery, rows: Sequence[Delivery]
    ) -> Message:
        """With what it has to know of those before it; a note also has the page as it reads now, which it may change."""
        sign = self._setup.ack_token
        token = sign(row.incident, row.person, row.level, self._now) if sign and dossier else ""
        message, first = threads.placed(message, row, rows, token), threads.first_of(row, rows)
        if dossier is None or first is None or row.event is not PageEvent.STATUS:
            return message
        page, _ = self._message(dossier, first)
        return replace(message, page=(page.headline, *page.parts))

    def _reader(self, row: Delivery) -> Reader:
        person = self._setup.directory.people.get(row.person)
        base, sign = self._setup.public_url, self._setup.ack_token
        ack_url = (
            f"{base.rstrip('/')}/a/{sign(row.incident, row.person, row.level, self._now)}"
            if base and sign
            else ""
        )
        zone = person.timezone if person else "UTC"
        return Reader(person.name if person else row.person, zone, base, self._setup.environment, ack_url)


def _local(row: Delivery) -> bool:
    """Whether its channel shows it without anything being sent."""
    channel = BY_KIND.get(row.channel)
    return channel is not None and channel.local


def _shown(row: Delivery, now: float) -> Change:
    return sent(outbox.settle(outbox.begin(row), Receipt(ReceiptKind.OK, "shown"), now).row, now)


def _args(row: Delivery, message: Message) -> dict[str, Any]:
    return {
        "address": row.address,
        "channel": row.channel,
        "message": message,
        "plain": replace(
            text.bare(row, message.at), maybe=message.maybe, first=message.first, token=message.token
        ),
    }


class _Slots:
    """Workers that are free, and how many of them one provider may still have: one that hangs leaves a quarter of all."""

    def __init__(self, free: int, sending: Sequence[Delivery]) -> None:
        under_way = {str(row.facts.get(BATCH, row.key)): breaker.account(row) for row in sending}
        self._used = Counter(under_way.values())
        everyone = free + len(under_way)
        self._free, self._most = free, everyone - everyone // 4

    def left(self, row: Delivery) -> int:
        """For messages that leave as this row does."""
        return min(self._free, self._most - self._used[breaker.account(row)])

    def took(self, row: Delivery, change: Change) -> Change:
        """Counts the jobs of a change."""
        self._free -= len(change.jobs)
        self._used[breaker.account(row)] += len(change.jobs)
        return change


class _Scene:
    """What goes on beside the incidents of one dispatch; read once, and only if a text needs it."""

    def __init__(self, uow: UnitOfWork, now: float) -> None:
        self._uow = uow
        self._now = now

    @cached_property
    def _open(self) -> tuple[Incident, ...]:
        return self._uow.incidents.open()

    @cached_property
    def _locks(self) -> tuple[FailoverLock, ...]:
        return self._uow.locks.listed(self._now)

    @cached_property
    def _mutes(self) -> tuple[Mute, ...]:
        return self._uow.mutes.active(self._now)

    def around(self, incident: Incident) -> Around:
        since = self._now - _WEEK
        earlier = self._uow.incidents.at_scope(
            incident.failure_mode, incident.scope, since=since, limit=text.MOST_EARLIER + 1
        )
        return Around(
            changes=self._uow.pipeline.recent(incident.began_at - _DAY),
            related=tuple(other for other in self._open if other.id != incident.id),
            earlier=sum(1 for other in earlier if other.id != incident.id),
            locks=tuple(lock for lock in self._locks if lock.incident == incident.id),
            mutes=tuple(mute for mute in self._mutes if concerns(mute, incident)),
        )
