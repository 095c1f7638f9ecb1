"""The store bounds itself: waiting writes nothing, and what is pruned makes room for what comes."""

from __future__ import annotations

from pathlib import Path

from daemon.incidents.change import Change
from daemon.incidents.model import IncidentState
from daemon.store.retention import Retention
from daemon.store.store import Store
from tests.fakes import rows


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.iterdir())


def test_a_day_of_waiting_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with Store.open(f"sqlite:///{path}") as store:
        store.migrate()
        with store.write() as uow:
            uow.apply(Change(incident=rows.incident(), run=rows.run()))
            epoch = uow.lease.claim("a", 100.0)
        before = size(path)
        for _ in range(24 * 60):
            with store.write(epoch=epoch) as uow:
                run = uow.runs.get("po-1")
                assert run is not None
        assert size(path) == before


def test_the_file_stops_growing_once_as_much_is_pruned_as_is_added(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    keep = Retention(timeline=100.0, closed_incidents=100.0)
    sizes = []
    for generation in range(12):
        now = generation * 1000.0
        with Store.open(f"sqlite:///{path}") as store:
            store.migrate()
            with store.write() as uow:
                for number in range(100):
                    key = f"i-{generation}-{number}"
                    past = {"state": IncidentState.RESOLVED, "detected_at": now, "resolved_at": now}
                    notes = tuple(rows.event(incident=key, at=now) for _ in range(10))
                    uow.apply(Change(incident=rows.incident(key, **past), events=notes))
            store.prune(now, keep)
        sizes.append(path.stat().st_size)
    assert max(sizes[6:]) <= max(sizes[:6]), sizes
    with Store.open(f"sqlite:///{path}") as store, store.read() as uow:
        assert len(uow.incidents.open()) == 0
        assert len(uow.incidents.search(limit=1000).incidents) == 100
