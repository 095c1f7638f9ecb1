"""Which deliveries the repository finds, and what it leaves out."""

from __future__ import annotations

from daemon.incidents.change import Change
from daemon.incidents.records import DeliveryState
from daemon.store.store import Store
from tests.contract.test_store_reads import keep
from tests.fakes import rows


def test_deliveries_due_are_owed_and_their_time_has_come(store: Store) -> None:
    keep(
        store,
        Change(
            deliveries=(
                rows.delivery("late", due_at=90.0, created_at=1.0),
                rows.delivery("now", due_at=100.0, created_at=2.0),
                rows.delivery("later", due_at=100.5, created_at=3.0),
                rows.delivery("in hand", due_at=90.0, created_at=4.0, state=DeliveryState.SENDING),
                rows.delivery("sent", due_at=90.0, created_at=5.0, state=DeliveryState.ACCEPTED),
            )
        ),
    )
    with store.read() as uow:
        assert [row.key for row in uow.deliveries.due(100.0)] == ["late", "now"]
        assert [row.key for row in uow.deliveries.due(100.0, limit=1)] == ["late"]
        assert [row.key for row in uow.deliveries.sending()] == ["in hand"]
        assert [row.key for row in uow.deliveries.recent(limit=2)] == ["sent", "in hand"]


def test_a_message_is_found_by_what_its_provider_calls_it(store: Store) -> None:
    twice = {"provider_id": "SM1", "channel": "sms"}
    keep(
        store,
        Change(
            deliveries=(
                rows.delivery("old", created_at=1.0, **twice),
                rows.delivery("new", created_at=2.0, **twice),
                rows.delivery("other", created_at=3.0, provider_id="SM1", channel="voice"),
                rows.delivery("nameless", created_at=4.0, channel="sms"),
            )
        ),
    )
    with store.read() as uow:
        assert [row.key for row in uow.deliveries.of_provider("sms", "SM1")] == ["new", "old"]
        assert uow.deliveries.of_provider("sms", "") == ()
        assert uow.deliveries.of_provider("sms", "SM2") == ()


def test_messages_are_looked_at_when_their_time_has_come(store: Store) -> None:
    looks = {"never": None, "late": 90.0, "now": 100.0, "later": 100.5}
    keep(store, Change(deliveries=tuple(rows.delivery(key, look_at=at) for key, at in looks.items())))
    with store.read() as uow:
        assert [row.key for row in uow.deliveries.to_look_at(100.0)] == ["late", "now"]
        assert [row.key for row in uow.deliveries.to_look_at(100.0, limit=1)] == ["late"]


def test_tries_are_found_by_when_they_ended_newest_first(store: Store) -> None:
    ends = {"never": None, "before": 90.0, "then": 100.0, "after": 100.5}
    keep(store, Change(deliveries=tuple(rows.delivery(key, tried_at=at) for key, at in ends.items())))
    with store.read() as uow:
        assert [row.key for row in uow.deliveries.tried(100.0)] == ["after", "then"]
        assert [row.key for row in uow.deliveries.tried(0.0, limit=1)] == ["after"]
