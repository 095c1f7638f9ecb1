"""Many changes at once are what each of them alone would be: the same rows, in their order, each guarded."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from daemon.errors import Stale
from daemon.incidents.change import Change, Job
from daemon.incidents.model import IncidentState
from daemon.store.store import Store
from tests.fakes import rows

IDS = ("po-1", "po-2", "po-3")


def opening(key: str) -> Change:
    job = Job(key, "probe", key, 200.0)
    return Change(
        incident=rows.incident(key),
        escalation=rows.escalation(key),
        events=(rows.event(f"{key} begins", incident=key), rows.event(f"{key} is told", incident=key)),
        jobs=(job,),
    )


def test_incidents_that_are_opened_together_are_as_if_opened_one_by_one(store: Store) -> None:
    changes = [opening(key) for key in IDS]
    with store.write() as uow:
        kept = uow.apply_all(changes)
    assert [change.incident and (change.incident.id, change.incident.version) for change in kept] == [
        (key, 1) for key in IDS
    ]
    assert [change.jobs for change in kept] == [change.jobs for change in changes]
    with store.read() as uow:
        for change in kept:
            assert change.incident is not None
            assert uow.incidents.get(change.incident.id) == change.incident
            assert uow.escalations.get(change.incident.id) == change.escalation
            assert uow.timeline.of(change.incident.id) == change.events
        assert [line.event for line in uow.timeline.tail(0)] == [
            e for change in changes for e in change.events
        ]


def test_what_is_new_and_what_is_changed_go_together_and_come_back_in_their_order(store: Store) -> None:
    with store.write() as uow:
        first = uow.apply(opening("po-2"))
    assert first.incident is not None
    moved = Change(incident=replace(first.incident, state=IncidentState.RESOLVED))
    whole = replace(opening("po-3"), deliveries=(rows.delivery("po-3/trigger/1/ana/email", incident="po-3"),))
    with store.write() as uow:
        kept = uow.apply_all([opening("po-1"), moved, whole])
    assert [change.incident and (change.incident.id, change.incident.version) for change in kept] == [
        ("po-1", 1),
        ("po-2", 2),
        ("po-3", 1),
    ]
    with store.read() as uow:
        assert [row.version for row in uow.deliveries.of("po-3")] == [1]


@pytest.mark.parametrize("taken", ["incident", "escalation"])
def test_one_that_is_there_already_refuses_them_all(store: Store, taken: str) -> None:
    with store.write() as uow:
        uow.apply(replace(opening("po-2"), **{"escalation" if taken == "incident" else "incident": None}))
    with pytest.raises(Stale), store.write() as uow:
        uow.apply_all([opening(key) for key in IDS])
    with store.read() as uow:
        assert [uow.incidents.get(key) for key in ("po-1", "po-3")] == [None, None]
        assert uow.timeline.of("po-1") == ()


def test_a_refusal_that_is_caught_is_not_committed(store: Store) -> None:
    with store.write() as uow:
        uow.apply(opening("po-2"))
    with pytest.raises(Stale):
        _caught(store)
    with store.read() as uow:
        assert "before" not in [line.event.text for line in uow.timeline.tail(0)]


def _caught(store: Store) -> None:
    with store.write() as uow:
        uow.apply(Change(events=(rows.event("before"),)))
        with contextlib.suppress(Stale):
            uow.apply_all([opening(key) for key in IDS])


def test_nothing_is_nothing(store: Store) -> None:
    with store.write() as uow:
        assert uow.apply_all([]) == ()
        assert not uow.changed
