"""The escalation stage as the loop calls it, inside its unit of work. Decides by the pure modules; writes nothing.

Every method returns a `Change`: the loop applies it in the same transaction and submits its jobs after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from daemon.document.dossier import Dossier, load
from daemon.escalate import digests, outbox, text
from daemon.escalate.channels.registry import BY_KIND
from daemon.escalate.holding import by_storm
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.escalate.policy import Response, respond
from daemon.escalate.rules import Policy
from daemon.escalate.schedules import Directory
from daemon.escalate.text import Around, Reader
from daemon.escalate.triggers import DeliveryFailed, PageOwed, Tick, Trigger
from daemon.incidents.change import Change, Job
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import Delivery, DeliveryState, PageEvent
from daemon.store.unit import UnitOfWork
from remediations.run import Run

POST = "post"
"""Kind of the jobs that send."""
SEND_WITHIN = 30.0
"""Seconds a worker has for one message, the short form included."""
DUE_AT_ONCE = 200
_WEEK = 7 * 86400.0
_DAY = 86400.0
_MOST_EARLIER = 20
NOBODY = "-"
"""Incident of deliveries that concern none: test pages."""


AckToken = Callable[[str, str, int, float], str]
"""(incident, person, level, now) to the token of a link."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The configuration's part. Replaced whole by a reload; running escalations keep their own policy.

    `policies`: by the name a playbook's `escalation` has; `default` has to be there. `ack_token`: signs what stands
    behind `/a/` in the link by which one person can acknowledge one incident.
    """

    policies: Mapping[str, Policy]
    directory: Directory
    by_playbook: Mapping[str, str] = field(default_factory=dict)
    public_url: str = ""
    environment: str = ""
    ack_token: AckToken | None = None

    def policy_for(self, incident: Incident) -> Policy:
        name = self.by_playbook.get(incident.playbook or "", "default")
        return self.policies.get(name) or self.policies["default"]


@dataclass(frozen=True, slots=True)
class Advance:
    """`answers`: what those who gave an order are told, in the order of their triggers."""

    change: Change
    answers: tuple[str, ...] = ()


class Escalate:
    """Pages people: decides what is owed, hands due messages to workers, books what became of them."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def advance(
        self,
        uow: UnitOfWork,
        incident_id: str,
        triggers: Sequence[Trigger],
        now: float,
        *,
        incident: Incident | None = None,
    ) -> Advance:
        """What follows from `triggers`. `incident`: as it will be after this commit, when it is not written yet."""
        incident = incident or uow.incidents.get(incident_id)
        if incident is None:
            return Advance(Change())
        before = uow.escalations.get(incident_id) or Escalation(incident_id, severity=incident.severity)
        rows = uow.deliveries.of(incident_id)
        asked = [_again(trigger, before, uow.runs.get(incident_id)) for trigger in triggers]
        response = self._respond(uow, before, incident, asked, rows, now)
        return Advance(_change(before, response), response.answers)

    def tick(self, uow: UnitOfWork, incident_id: str, now: float) -> Change:
        """Look at one escalation's clock."""
        return self.advance(uow, incident_id, (Tick(),), now).change

    def held(self, uow: UnitOfWork) -> tuple[str, ...]:
        """Incidents whose page waits: to be looked at again when a silence or maintenance is lifted early."""
        ids = [incident.id for incident in uow.incidents.open()]
        found = [uow.escalations.get(incident_id) for incident_id in ids]
        return tuple(row.id for row in found if row is not None and row.held_until is not None)

    def dispatch(self, uow: UnitOfWork, now: float, free_slots: int) -> Change:
        """Hand the due messages to workers: rows marked as being sent, and one job each.

        What nobody needs any more is dropped, and what the console shows is delivered by this very commit.
        """
        owed = uow.deliveries.due(now, limit=DUE_AT_ONCE)
        if not owed:
            return Change()
        sending, scene = uow.deliveries.sending(), _Scene(uow, now)
        changes: list[Change] = []
        # Only what needs a worker needs a slot; local and unwanted rows are settled without one.
        for row in outbox.choose(
            [row for row in owed if row.event is not PageEvent.DIGEST], sending, len(owed)
        ):
            left = free_slots - sum(len(done.jobs) for done in changes)
            change = self._hand_over(uow, scene, row, now, left)
            changes.append(change)
        for rows in digests.groups(owed, sending):
            left = free_slots - sum(len(done.jobs) for done in changes)
            changes.append(self._hand_over_digest(uow, rows, now, left))
        return _merged(changes)

    def _hand_over_digest(self, uow: UnitOfWork, rows: Sequence[Delivery], now: float, slots: int) -> Change:
        if _local(rows[0]):
            return _merged([_shown(row, now) for row in rows])
        if slots <= 0:
            return Change()
        found = [load(uow, row.incident) for row in rows]
        dossiers = list({dossier.incident.id: dossier for dossier in found if dossier}.values())
        try:
            message = digests.compose(rows, dossiers, self._reader(rows[0], now), now)
        except Exception:  # noqa: BLE001 - whatever is wrong with the text, the digest goes out
            message = text.bare(rows[0], now)
        key = _job_key(outbox.begin(rows[0]))
        job = Job(key, POST, rows[0].incident, now + SEND_WITHIN, _args(rows[0], message))
        return Change(deliveries=digests.begun(rows, key), jobs=(job,))

    def _hand_over(self, uow: UnitOfWork, scene: _Scene, row: Delivery, now: float, slots: int) -> Change:
        local = _local(row)
        if slots <= 0 and not local:
            return Change()
        dossier = load(uow, row.incident)
        rows = uow.deliveries.of(row.incident)
        why = outbox.unwanted(
            row, dossier.incident if dossier else None, dossier.escalation if dossier else None, rows
        )
        if why:
            return _dropped(row, why, now)
        if outbox.waits(row, rows):
            return Change()
        if local:
            return _shown(row, now)
        message, parked = self._message(scene, dossier, row, now)
        sending = outbox.begin(row)
        job = Job(_job_key(sending), POST, row.incident, now + SEND_WITHIN, _args(sending, message))
        events = (
            ()
            if not parked
            else (
                _event(
                    row, now, Kind.DAEMON, f"Page text failed, a plain one goes out: {parked}", what="parked"
                ),
            )
        )
        return Change(deliveries=(sending,), events=events, jobs=(job,))

    def receipt(self, uow: UnitOfWork, job_key: str, receipt: Receipt, now: float) -> Change:
        """Book what became of a message. A receipt for a row that is no longer being sent changes nothing."""
        key, _, _ = job_key.rpartition("#")
        row = uow.deliveries.get(key)
        if row is None or row.state is not DeliveryState.SENDING or _job_key(row) != job_key:
            return Change()
        carried = digests.carried(uow.deliveries.sending(), job_key) or (row,)
        if len(carried) > 1 and receipt.kind in {ReceiptKind.TEMPORARY, ReceiptKind.AMBIGUOUS}:
            receipt = replace(
                receipt, retry_after=outbox.wait(row, receipt)
            )  # what went together comes again together
        return _merged([self._booked(uow, each, receipt, now) for each in carried])

    def _booked(self, uow: UnitOfWork, row: Delivery, receipt: Receipt, now: float) -> Change:
        after = outbox.settle(row, receipt, now)
        dossier = load(uow, row.incident)
        if after.row.state is DeliveryState.ACCEPTED:
            return _sent(after.row, now)
        event = _event(
            row, now, Kind.NOT_SENT, f"Not sent to {row.person} by {row.channel}: {after.row.error}",
            key=row.key, error=after.row.error,
            next_at=after.row.due_at if after.row.state is DeliveryState.OWED else None,
        )  # fmt: skip
        change = Change(deliveries=(after.row,), events=(event,))
        if not after.failing or dossier is None:
            return change
        rows = [after.row if other.key == row.key else other for other in uow.deliveries.of(row.incident)]
        escalation = dossier.escalation or Escalation(row.incident)
        response = self._respond(uow, escalation, dossier.incident, [DeliveryFailed(row.key)], rows, now)
        new = {delivery.key: delivery for delivery in (after.row, *response.deliveries)}
        return Change(
            escalation=response.escalation if response.escalation != dossier.escalation else None,
            deliveries=tuple(new.values()),
            events=(event, *response.events),
        )

    def abandoned(self, uow: UnitOfWork, job_key: str, now: float) -> Change:
        """A job that ran past its deadline: the message may have arrived."""
        return self.receipt(
            uow, job_key, Receipt(ReceiptKind.AMBIGUOUS, "no answer before the deadline"), now
        )

    def restart(self, uow: UnitOfWork, now: float) -> Change:
        """What workers had when the daemon died is owed again, under the same keys."""
        rows = tuple(outbox.recovered_from_restart(row, now) for row in uow.deliveries.sending())
        events = tuple(
            _event(
                row,
                now,
                Kind.NOT_SENT,
                f"Sending to {row.person} was interrupted: it is sent again",
                key=row.key,
                error="interrupted",
                next_at=now,
            )
            for row in rows
        )
        return Change(deliveries=rows, events=events)

    def test_page(self, person_id: str, now: float, *, position: int = 0) -> Change | None:
        """Prove one channel of one person; None when there is no such channel."""
        person = self.setup.directory.people.get(person_id)
        way = next((way for way in person.ways if way.position == position), None) if person else None
        if person is None or way is None:
            return None
        key = f"{NOBODY}/0/0/{person_id}/{way.kind}.{position}/test.{int(now * 1000)}"
        row = Delivery(
            key=key, incident=NOBODY, event=PageEvent.TEST, level=0, person=person_id, channel=way.kind,
            address=f"{person_id}/{position}", dedup_key=f"fleetmend/test/{person_id}/{position}", created_at=now,
            due_at=now, give_up_at=now + 600.0, facts={"reason": f"Asked for at {int(now)}."},
        )  # fmt: skip
        return Change(
            deliveries=(row,),
            events=(
                _event(
                    row,
                    now,
                    Kind.OWED,
                    f"Test page owed to {person.name} by {way.kind}",
                    level=0,
                    person=person_id,
                    channel=way.kind,
                    event="test",
                    key=key,
                ),
            ),
        )

    def _respond(
        self, uow: UnitOfWork, escalation: Escalation, incident: Incident, triggers: Sequence[Trigger],
        rows: Sequence[Delivery], now: float,
    ) -> Response:  # fmt: skip
        return respond(
            escalation, incident, triggers, self.setup.policy_for(incident), self.setup.directory.at(now), now,
            deliveries=rows, mutes=uow.mutes.active(now), storm=by_storm(uow, incident, now),
        )  # fmt: skip

    def _message(
        self, scene: _Scene, dossier: Dossier | None, row: Delivery, now: float
    ) -> tuple[Message, str]:
        """The text, and why it is only the bare one, if it is. One bad incident must not stop the queue."""
        if dossier is None:
            return text.bare(row, now), ""
        try:
            return text.compose(dossier, row, self._reader(row, now), scene.around(dossier.incident), now), ""
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the text, the page goes out
            return text.bare(row, now), type(error).__name__

    def _reader(self, row: Delivery, now: float) -> Reader:
        person = self.setup.directory.people.get(row.person)
        base, sign = self.setup.public_url, self.setup.ack_token
        ack_url = (
            f"{base.rstrip('/')}/a/{sign(row.incident, row.person, row.level, now)}" if base and sign else ""
        )
        zone = person.timezone if person else "UTC"
        return Reader(person.name if person else row.person, zone, base, self.setup.environment, ack_url)


def _again(trigger: Trigger, escalation: Escalation, run: Run | None) -> Trigger:
    """A page owed after a person handed the wheel back is a new page."""
    released = run.released_at if run is not None else None
    paged = escalation.paged_at
    if isinstance(trigger, PageOwed) and released is not None and paged is not None and released > paged:
        return replace(trigger, again=True)
    return trigger


def _change(before: Escalation, response: Response) -> Change:
    return Change(
        escalation=response.escalation if response.escalation != before or before.version == 0 else None,
        deliveries=response.deliveries,
        events=response.events,
    )


def _local(row: Delivery) -> bool:
    """Whether its channel shows it without anything being sent."""
    channel = BY_KIND.get(row.channel)
    return channel is not None and channel.local


def _shown(row: Delivery, now: float) -> Change:
    return _sent(outbox.settle(outbox.begin(row), Receipt(ReceiptKind.OK, "shown"), now).row, now)


def _sent(row: Delivery, now: float) -> Change:
    event = _event(
        row,
        now,
        Kind.SENT,
        f"Sent to {row.person} by {row.channel} ({row.event})",
        key=row.key,
        receipt=row.receipt,
    )
    return Change(deliveries=(row,), events=(event,))


def _dropped(row: Delivery, why: str, now: float) -> Change:
    event = _event(
        row,
        now,
        Kind.NOT_SENT,
        f"Not sent to {row.person} by {row.channel}: {why}",
        key=row.key,
        error=why,
        next_at=None,
    )
    return Change(deliveries=(replace(row, state=DeliveryState.DROPPED, error=why),), events=(event,))


def _event(row: Delivery, now: float, kind: Kind, said: str, **data: Any) -> Event:
    return Event(row.incident, now, kind, said, data)


def _merged(changes: Sequence[Change]) -> Change:
    return Change(
        escalation=next((change.escalation for change in changes if change.escalation is not None), None),
        deliveries=tuple(row for change in changes for row in change.deliveries),
        events=tuple(event for change in changes for event in change.events),
        jobs=tuple(job for change in changes for job in change.jobs),
    )


def _args(row: Delivery, message: Message) -> dict[str, Any]:
    return {
        "address": row.address,
        "channel": row.channel,
        "message": message,
        "plain": text.bare(row, message.at),
    }


def _job_key(row: Delivery) -> str:
    """A job of its own for each try, so that a late receipt of an abandoned one is known as such."""
    return f"{row.key}#{row.tries}"


class _Scene:
    """What goes on beside the incidents of one dispatch; read once, and only if a text needs it."""

    def __init__(self, uow: UnitOfWork, now: float) -> None:
        self._uow = uow
        self._now = now

    @cached_property
    def _open(self) -> tuple[Incident, ...]:
        return self._uow.incidents.open()

    def around(self, incident: Incident) -> Around:
        since = self._now - _WEEK
        earlier = self._uow.incidents.at_scope(
            incident.failure_mode, incident.scope, since=since, limit=_MOST_EARLIER
        )
        return Around(
            changes=self._uow.pipeline.recent(incident.began_at - _DAY),
            related=tuple(other for other in self._open if other.id != incident.id),
            earlier=sum(1 for other in earlier if other.id != incident.id),
        )
