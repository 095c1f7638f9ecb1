"""`apply` is the only way state changes: everything of a change, guarded by version, or nothing."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from daemon.errors import Stale
from daemon.incidents.change import Change, Job
from daemon.incidents.model import IncidentState
from daemon.incidents.records import DeliveryState, FailoverLock
from daemon.store.store import Store
from remediations.run import RunState
from tests.fakes import rows


def whole_change() -> Change:
    return Change(
        incident=rows.incident(),
        run=rows.run(),
        escalation=rows.escalation(),
        attempts=(rows.attempt(),),
        debts=(rows.debt(),),
        locks=(FailoverLock("navixy", 900.0, "po-1", "failed over"),),
        mutes=(rows.mute(),),
        deliveries=(rows.delivery(),),
        events=(rows.event("first"), rows.event("second")),
        jobs=(Job("j", "probe", "po-1", 200.0),),
    )


def apply(store: Store, change: Change) -> Change:
    with store.write() as uow:
        return uow.apply(change)


def test_everything_of_a_change_is_read_back_as_it_was_written(store: Store) -> None:
    written = apply(store, whole_change())
    with store.read() as uow:
        assert uow.incidents.get("po-1") == written.incident
        assert uow.runs.get("po-1") == written.run
        assert uow.escalations.get("po-1") == written.escalation
        assert uow.attempts.of("po-1") == written.attempts
        assert uow.debts.of("po-1") == written.debts
        assert uow.deliveries.of("po-1") == written.deliveries
        assert uow.locks.get("navixy") == written.locks[0]
        assert uow.mutes.listed() == written.mutes
        assert uow.timeline.of("po-1") == written.events


def test_apply_returns_the_new_versions_and_passes_the_jobs_on(store: Store) -> None:
    change = whole_change()
    written = apply(store, change)
    assert written.incident == replace(rows.incident(), version=1)
    assert [row.version for row in written.attempts + written.deliveries] == [1, 1]
    assert written.debts[0].version == 1
    assert written.jobs == change.jobs
    again = apply(store, written)
    assert again.run is not None
    assert again.run.version == 2


def test_a_row_that_moved_on_refuses_the_whole_change(store: Store) -> None:
    first = apply(store, whole_change())
    assert first.run is not None
    assert first.incident is not None
    apply(store, Change(run=replace(first.run, state=RunState.RECHECKING)))
    late = Change(
        incident=replace(first.incident, state=IncidentState.RESOLVED),
        run=replace(first.run, state=RunState.GAVE_UP),
        events=(rows.event("too late"),),
        deliveries=(rows.delivery("another"),),
    )
    with pytest.raises(Stale, match="runs po-1"):
        apply(store, late)
    with store.read() as uow:
        assert uow.incidents.get("po-1") == first.incident
        assert uow.deliveries.get("another") is None
        assert [event.text for event in uow.timeline.of("po-1")] == ["first", "second"]


def test_a_new_row_whose_key_is_taken_is_stale(store: Store) -> None:
    apply(store, Change(attempts=(rows.attempt(),)))
    with pytest.raises(Stale):
        apply(store, Change(attempts=(rows.attempt(rung="another"),)))


def test_catching_stale_inside_the_unit_keeps_nothing_all_the_same(store: Store) -> None:
    taken = Change(incident=rows.incident(), events=(rows.event("with"),))
    apply(store, Change(incident=rows.incident()))

    def careless() -> None:
        with store.write() as uow:
            uow.timeline.append([rows.event("before")])
            with pytest.raises(Stale):
                uow.apply(taken)

    with pytest.raises(Stale):
        careless()
    assert store.last_seq() == 0


def test_an_exception_inside_a_unit_keeps_nothing(store: Store) -> None:
    def interrupted() -> None:
        with store.write() as uow:
            uow.apply(whole_change())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    with store.read() as uow:
        assert uow.incidents.get("po-1") is None
        assert uow.timeline.last_seq() == 0


def test_a_page_owed_twice_is_one_row_and_the_one_that_stands_is_returned(store: Store) -> None:
    (owed,) = apply(store, Change(deliveries=(rows.delivery(),))).deliveries
    (sent,) = apply(store, Change(deliveries=(replace(owed, state=DeliveryState.ACCEPTED),))).deliveries
    (again,) = apply(store, Change(deliveries=(rows.delivery(person="bea"),))).deliveries
    assert again == sent
    with store.read() as uow:
        assert uow.deliveries.of("po-1") == (sent,)


def test_a_delivery_in_hand_is_guarded_by_its_version(store: Store) -> None:
    (owed,) = apply(store, Change(deliveries=(rows.delivery(),))).deliveries
    apply(store, Change(deliveries=(replace(owed, tries=1),)))
    with pytest.raises(Stale):
        apply(store, Change(deliveries=(replace(owed, tries=7),)))


def test_an_unlock_removes_the_lock(store: Store) -> None:
    apply(store, whole_change())
    apply(store, Change(unlocks=("navixy", "never locked")))
    with store.read() as uow:
        assert uow.locks.get("navixy") is None


def test_a_mute_is_replaced_by_its_id(store: Store) -> None:
    apply(store, Change(mutes=(rows.mute(),)))
    lifted = rows.mute(lifted_at=150.0, lifted_by="bea")
    apply(store, Change(mutes=(lifted,)))
    with store.read() as uow:
        assert uow.mutes.listed() == (lifted,)


def test_a_unit_of_work_does_not_nest(store: Store) -> None:
    with store.write(), pytest.raises(RuntimeError, match="nest"), store.read():
        pass
    with store.read() as uow:  # and the refusal leaves no trace
        assert uow.timeline.last_seq() == 0


def test_a_unit_that_reads_cannot_write(store: Store) -> None:
    with store.read() as uow, pytest.raises(RuntimeError, match="only reads"):
        uow.apply(whole_change())


def test_of_many_who_intend_the_same_attempt_exactly_one_does(store: Store) -> None:
    for seed in range(20):
        start = threading.Barrier(4)
        outcomes: list[int] = []

        def claim(
            mine: int, *, seed: int = seed, start: threading.Barrier = start, out: list[int] = outcomes
        ) -> None:
            start.wait()
            try:
                apply(store, Change(attempts=(rows.attempt(f"same-{seed}", epoch=mine),)))
                out.append(mine)
            except Stale:
                pass

        threads = [threading.Thread(target=claim, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.read() as uow:
            standing = uow.attempts.get(f"same-{seed}")
        assert standing is not None
        assert outcomes == [standing.epoch]


def test_a_reader_keeps_its_view_while_others_write(shared_url: str) -> None:
    with Store.open(shared_url) as store, Store.open(shared_url) as other:
        store.migrate()
        apply(store, Change(incident=rows.incident()))
        with store.read() as uow:
            before = uow.incidents.open()
            apply(other, Change(incident=rows.incident("po-2")))
            assert uow.incidents.open() == before
        with store.read() as uow:
            assert len(uow.incidents.open()) == 2
