"""One leader acts: its epoch is checked in every transaction it decides in."""

from __future__ import annotations

import pytest

from daemon.errors import LeaseLost
from daemon.incidents.change import Change
from daemon.store.lease import Lease
from daemon.store.store import Store
from tests.fakes import rows


def claim(store: Store, holder: str, now: float = 100.0) -> int:
    with store.write() as uow:
        return uow.lease.claim(holder, now)


def test_every_claim_raises_the_epoch(store: Store) -> None:
    with store.read() as uow:
        assert uow.lease.current() is None
    assert [claim(store, "a"), claim(store, "a"), claim(store, "b", 130.0)] == [1, 2, 3]
    with store.read() as uow:
        assert uow.lease.current() == Lease("b", 3, 130.0, 130.0)


def test_the_leader_writes_under_its_epoch(store: Store) -> None:
    epoch = claim(store, "a")
    with store.write(epoch=epoch) as uow:
        uow.apply(Change(incident=rows.incident()))
    with store.read() as uow:
        assert uow.incidents.get("po-1") is not None


def test_a_leader_that_was_paused_past_its_lease_is_refused(shared_url: str) -> None:
    with Store.open(shared_url) as one, Store.open(shared_url) as two:
        one.migrate()
        old = claim(one, "one")
        claim(two, "two")
        with pytest.raises(LeaseLost, match="two under epoch 2"), one.write(epoch=old) as uow:
            uow.apply(Change(attempts=(rows.attempt(),)))
        with two.read() as uow:
            assert uow.attempts.in_flight() == ()


def test_nobody_writes_under_an_epoch_that_was_never_claimed(store: Store) -> None:
    with pytest.raises(LeaseLost), store.write(epoch=1):
        pass


def test_renewing_moves_the_time_and_not_the_epoch(store: Store) -> None:
    epoch = claim(store, "a")
    with store.write() as uow:
        uow.lease.renew(epoch, 115.0)
        assert uow.lease.current() == Lease("a", epoch, 100.0, 115.0)
    claim(store, "b")
    with pytest.raises(LeaseLost), store.write() as uow:
        uow.lease.renew(epoch, 120.0)
