"""The escalation stage as the loop calls it, inside its unit of work. Decides by the pure modules; writes nothing.

Every method returns a `Change`: the loop applies it in the same transaction and submits its jobs after the commit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from daemon.escalate import breaker, digests, lanes, outbox, proving, receipts
from daemon.escalate.bookings import event_of, job_key, not_sent, receipt_event, sent
from daemon.escalate.bundles import first_of
from daemon.escalate.dispatch import dispatch
from daemon.escalate.holding import by_storm
from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.owed import BATCH
from daemon.escalate.policy import Response, respond
from daemon.escalate.setup import Setup
from daemon.escalate.triggers import DeliveryFailed, PageOwed, Tick, Trigger
from daemon.incidents.change import Change
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import Delivery, DeliveryState, Order
from daemon.store.unit import UnitOfWork
from remediations.run import Run

NOBODY = "-"
"""Incident of deliveries that concern none: test pages."""


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
        """Hand the due messages to workers; see there. Pages that would wait long for their turn go around as well."""
        change = dispatch(self.setup, uow, now, free_slots)
        found = {row.key: row for row in change.deliveries}
        events = list(change.events)
        for row in change.deliveries:
            if lanes.waits_long(row, self.setup.pacing):
                waits = replace(row, facts={**row.facts, outbox.DETOUR: True})
                # the row is still owed, so no level is given up by it: rows and events are all that follows
                around = self._failed(uow, waits, not_sent(waits, now), now)
                found |= {one.key: one for one in around.deliveries}
                events += around.events
        return replace(change, deliveries=tuple(found.values()), events=tuple(events))

    def receipt(self, uow: UnitOfWork, key_of_job: str, receipt: Receipt, now: float) -> tuple[Change, ...]:
        """Book what became of a message: a change for each incident that it told of.

        A receipt for a row that is no longer being sent changes nothing.
        """
        key, _, _ = key_of_job.rpartition("#")
        row = uow.deliveries.get(key)
        if row is None or row.state is not DeliveryState.SENDING or job_key(row) != key_of_job:
            return ()
        carried = digests.carried(uow.deliveries.sending(), key_of_job) or (row,)
        if len(carried) > 1 and receipt.kind in {ReceiptKind.TEMPORARY, ReceiptKind.AMBIGUOUS}:
            # What went together comes again together; a time that the provider did not ask for holds nobody else.
            asked = receipt.status if receipt.retry_after is not None else None
            receipt = replace(receipt, retry_after=outbox.wait(row, receipt), status=asked)
        return tuple(self._booked(uow, each, receipt, now) for each in carried)

    def _booked(self, uow: UnitOfWork, row: Delivery, receipt: Receipt, now: float) -> Change:
        after = outbox.settle(row, receipt, now)
        if after.row.state is DeliveryState.ACCEPTED:
            stood = row.sent_at is not None and receipts.RENEW in row.facts
            return Change(deliveries=(after.row,)) if stood else sent(after.row, now)
        event = not_sent(after.row, now)
        if not after.failing:
            return Change(deliveries=(after.row,), events=(event,))
        return self._failed(uow, after.row, event, now)

    def _failed(self, uow: UnitOfWork, row: Delivery, event: Event, now: float) -> Change:
        """The row as it is now, why, and what is owed in its place."""
        incident, known = uow.incidents.get(row.incident), uow.escalations.get(row.incident)
        if incident is None:
            return Change(deliveries=(row,), events=(event,))
        rows = [row if other.key == row.key else other for other in uow.deliveries.of(row.incident)]
        escalation = known or Escalation(row.incident)
        response = self._respond(uow, escalation, incident, [DeliveryFailed(row.key)], rows, now)
        new = {delivery.key: delivery for delivery in (row, *response.deliveries)}
        return Change(
            escalation=response.escalation if response.escalation != known else None,
            deliveries=tuple(new.values()),
            events=(event, *response.events),
        )

    def each(self, uow: UnitOfWork, order: Order) -> tuple[Order, ...]:
        """A report as one for each row that its message carried: what told of several incidents arrived for all of them."""
        named, said = str(order.args.get("key", "")), str(order.args.get("provider_id", ""))
        found = uow.deliveries.get(named) or uow.deliveries.get(first_of(named)) if named else None
        row = found or next(iter(uow.deliveries.of_provider(order.via, said)), None)
        if row is None:
            return (order,)
        others = (*uow.deliveries.sending(), *uow.deliveries.of_provider(row.channel, row.provider_id))
        batch = row.facts.get(BATCH)
        keys = [row.key, *(other.key for other in others if batch and other.facts.get(BATCH) == batch)]
        return tuple(replace(order, args={**order.args, "key": key}) for key in dict.fromkeys(keys))

    def heard(self, uow: UnitOfWork, order: Order, now: float) -> Change | None:
        """Book what a provider said later of a message; None when it is about none that is known."""
        report = receipts.report_of(order)
        key = str(order.args.get("key", ""))
        named = (
            (uow.deliveries.get(key),) if key else uow.deliveries.of_provider(order.via, report.provider_id)
        )
        row = next(iter(named), None)
        if row is None or row.channel != order.via:
            return None
        known = receipts.advanced(row, report, now)
        if known is row:
            return Change()
        event = receipt_event(row, now, str(report.fate), report.detail)
        if report.fate is receipts.Fate.UNDELIVERED:
            return self._failed(uow, known, event, now)
        return Change(deliveries=(known,), events=(event,))

    def detour(self, uow: UnitOfWork, now: float) -> Iterator[Change]:
        """Due messages whose provider is in trouble wait, and pages go by the next channel meanwhile.

        To be asked before `dispatch`, in the same transaction. Each change is to be applied before the next is asked
        for.
        """
        since = now - breaker.LOOK_BACK
        if not uow.deliveries.faulty(since):
            return
        trouble = breaker.standings(uow.deliveries.tried(since), now)
        if not trouble:
            return
        owed = uow.deliveries.due(now, limit=breaker.AT_ONCE)
        for held in breaker.held(owed, trouble, uow.deliveries.sending(), now):
            row = uow.deliveries.get(held.row.key)
            if row is None or row.state is not DeliveryState.OWED:
                continue  # what came before ended it
            known = replace(held.row, version=row.version)
            event = not_sent(known, now)
            if held.failing:
                yield self._failed(uow, known, event, now)
            else:
                yield Change(deliveries=(known,), events=(event,) if held.new else ())

    def look(self, uow: UnitOfWork, now: float) -> Iterator[Change]:
        """Accepted messages of which nobody said that they arrived: the next channel, at the same level.

        Those that have to be renewed are owed anew. Each change is to be applied before the next is asked for.
        """
        for key in [row.key for row in uow.deliveries.to_look_at(now)]:
            row = uow.deliveries.get(key)
            if row is None or row.look_at is None:
                continue
            rows = uow.deliveries.of(row.incident)
            known = receipts.overdue(row, uow.incidents.get(row.incident), now, rows)
            if known is not None:
                yield Change(deliveries=(known,))
                continue
            event = receipt_event(row, now, "none", "")
            yield self._failed(uow, proving.lapsed(row), event, now)

    def restart(self, uow: UnitOfWork, now: float) -> Change:
        """What workers had when the daemon died is owed again, under the same keys."""
        rows = tuple(outbox.recovered_from_restart(row, now) for row in uow.deliveries.sending())
        waiting = self.stepped_back(uow, now).deliveries
        events = tuple(
            event_of(
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
        return Change(deliveries=(*rows, *waiting), events=events)

    def stepped_back(self, uow: UnitOfWork, now: float) -> Change:
        """The clock was set back: no message waits for it to catch up, nor does what is expected of one."""
        accepted = uow.deliveries.to_look_at(math.inf, limit=breaker.AT_ONCE)
        waiting = outbox.anchored(uow.deliveries.unsent(), now)
        return Change(deliveries=(*waiting, *outbox.looked_at(accepted, now)))

    def test_page(self, person: str, now: float, *, channel: str = proving.FIRST) -> Change:
        """Prove channels; owes nothing when there is no such person or channel. See `proving.asked`."""
        return proving.asked(self.setup.directory, person, channel, now)

    def _respond(
        self, uow: UnitOfWork, escalation: Escalation, incident: Incident, triggers: Sequence[Trigger],
        rows: Sequence[Delivery], now: float,
    ) -> Response:  # fmt: skip
        policy = self.setup.policy_for(incident)
        return respond(
            escalation, incident, triggers, policy, self.setup.oncall(incident, policy, now), now,
            deliveries=rows, mutes=uow.mutes.active(now), storm=by_storm(uow, incident, now),
        )  # fmt: skip


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
