"""Retention forgets what is old and over; never what is owed, open or binding."""

from __future__ import annotations

import pytest

from daemon.incidents.change import Change
from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import IncidentState
from daemon.incidents.records import DebtState, DeliveryState, FailoverLock, OrderState, PipelineChange
from daemon.store.retention import Pruned, Retention
from daemon.store.store import Store
from remediations.run import RunState
from tests.fakes import rows
from tests.fakes.rows import NAVIXY

DAY = 86_400.0
KEEP = Retention(timeline=10 * DAY, closed_incidents=10 * DAY)
NOW = 100 * DAY


def ended(key: str = "po-1", **fields: object) -> Change:
    """An incident whose every row is over for long."""
    past = {"state": IncidentState.RESOLVED, "detected_at": 100.0, "resolved_at": 200.0}
    return Change(
        incident=rows.incident(key, **past | fields),
        run=rows.run(key, state=RunState.DONE, ended_at=200.0),
        escalation=rows.escalation(key, state=EscalationState.ENDED, next_level_at=300.0),
        attempts=(rows.attempt(f"{key}/a", incident=key, outcome="done"),),
        debts=(rows.debt(f"{key}/d", incident=key, state=DebtState.PAID),),
        deliveries=(rows.delivery(f"{key}/p", incident=key, state=DeliveryState.ACCEPTED),),
        events=(rows.event(incident=key, at=200.0),),
    )


def keep(store: Store, *changes: Change) -> None:
    with store.write() as uow:
        for change in changes:
            uow.apply(change)


def test_an_ended_incident_past_its_age_goes_with_all_its_rows(store: Store) -> None:
    keep(store, ended())
    assert store.prune(NOW, KEEP).incidents == 1
    with store.read() as uow:
        assert uow.incidents.get("po-1") is None
        assert uow.runs.get("po-1") is None
        assert uow.escalations.get("po-1") is None
        rest = (uow.attempts.of("po-1"), uow.debts.of("po-1"), uow.deliveries.of("po-1"))
        assert (rest, uow.timeline.of("po-1")) == (((), (), ()), ())


@pytest.mark.parametrize(
    "owed",
    [
        pytest.param(Change(incident=rows.incident("x", state=IncidentState.OPEN)), id="it is open"),
        pytest.param(
            Change(incident=rows.incident("x", state=IncidentState.CONTAINED)), id="it is only contained"
        ),
        pytest.param(ended("x", resolved_at=NOW - 9 * DAY), id="it is not old enough"),
        pytest.param(
            ended("x", state=IncidentState.CLOSED, quiet_until=NOW + 1), id="it is looked at again later"
        ),
    ],
)
def test_an_incident_stays_with_its_timeline_because(store: Store, owed: Change) -> None:
    keep(store, owed, Change(events=(rows.event(incident="x", at=NOW),)))
    assert store.prune(NOW, KEEP).incidents == 0
    with store.read() as uow:
        assert uow.incidents.get("x") is not None


@pytest.mark.parametrize(
    "owed",
    [
        pytest.param(Change(deliveries=(rows.delivery(),)), id="a page is owed"),
        pytest.param(
            Change(deliveries=(rows.delivery(state=DeliveryState.SENDING),)), id="a page is being sent"
        ),
        pytest.param(Change(debts=(rows.debt(),)), id="a debt is open"),
        pytest.param(Change(debts=(rows.debt(state=DebtState.FAILED),)), id="a return failed"),
        pytest.param(Change(attempts=(rows.attempt(),)), id="an attempt has no outcome"),
        pytest.param(Change(run=rows.run(state=RunState.PROPOSED)), id="its run waits for a person"),
        pytest.param(
            Change(escalation=rows.escalation(state=EscalationState.PAGING, remind_at=9.0)),
            id="a reminder is due",
        ),
    ],
)
def test_an_ended_incident_stays_with_its_timeline_while(store: Store, owed: Change) -> None:
    over = ended()
    keep(store, Change(incident=over.incident, events=over.events), owed)
    assert store.prune(NOW, KEEP) == Pruned(0, 0, 0, more=False)
    with store.read() as uow:
        assert uow.incidents.get("po-1") is not None
        assert uow.timeline.of("po-1") == over.events


def test_old_events_of_the_daemon_and_of_kept_ended_incidents_go(store: Store) -> None:
    young = Retention(timeline=10 * DAY, closed_incidents=1000 * DAY)
    keep(
        store,
        ended(),
        Change(events=(rows.event("old", incident="-"), rows.event("new", incident="-", at=NOW))),
    )
    assert store.prune(NOW, young).events == 2
    with store.read() as uow:
        assert uow.incidents.get("po-1") is not None
        assert [event.text for event in uow.timeline.of("-")] == ["new"]


def test_what_nobody_handled_yet_stays_however_old(store: Store) -> None:
    orders = store.record([rows.order(), rows.order()], [rows.alert("a"), rows.alert("b")])
    with store.write() as uow:
        alerts = [row.id for row in uow.inbox.new_alerts()]
        uow.inbox.settle_order(orders[0], OrderState.DONE, "")
        uow.inbox.settle_alerts([alerts[0]])
    assert store.prune(NOW, KEEP).others == 2
    with store.read() as uow:
        assert [row.id for row in uow.inbox.new_orders()] == [orders[1]]
        assert [row.id for row in uow.inbox.new_alerts()] == [alerts[1]]


def test_mutes_and_locks_stay_while_they_bind(store: Store) -> None:
    keep(
        store,
        Change(
            mutes=(
                rows.mute("over"),
                rows.mute("binds", ends_at=None),
                rows.mute("ended today", ends_at=NOW),
            ),
            locks=(FailoverLock("over", 300.0, "x", ""), FailoverLock("binds", NOW + DAY, "x", "")),
        ),
    )
    with store.write() as uow:
        uow.pipeline.add(PipelineChange(100.0, "deploy", "ci", "v1", NAVIXY))
    assert store.prune(NOW, KEEP).others == 3
    with store.read() as uow:
        assert {row.id for row in uow.mutes.listed()} == {"binds", "ended today"}
        assert [row.target for row in uow.locks.listed(0.0)] == ["binds"]
        assert uow.pipeline.recent(0.0) == ()


def test_one_call_is_bounded_and_says_that_there_is_more(store: Store) -> None:
    keep(store, *(ended(f"i-{n}") for n in range(7)))
    first = store.prune(NOW, KEEP, limit=3)
    assert (first.incidents, first.more) == (3, True)
    calls = 1
    while store.prune(NOW, KEEP, limit=3).more:
        calls += 1
    assert calls == 2
    with store.read() as uow:
        assert uow.incidents.search().incidents == ()


def test_numbers_of_events_are_never_given_twice(store: Store) -> None:
    keep(store, Change(events=(rows.event(incident="-"),) * 3))
    highest = store.last_seq()
    store.prune(NOW, KEEP)
    keep(store, Change(events=(rows.event(incident="-"),)))
    assert store.last_seq() == highest + 1
