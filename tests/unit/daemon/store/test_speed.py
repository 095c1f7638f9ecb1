"""A decision's commit costs little beside the disk's sync: measured in memory, where there is none."""

from __future__ import annotations

import time

from daemon.incidents.change import Change
from daemon.store.store import Store
from tests.fakes import rows

BOUND = 0.001
"""Seconds; the best of many tries, so that a busy machine does not decide the test."""


def decision(number: int) -> Change:
    """Every kind of row, with a gate trace of fifteen answers."""
    key = f"i-{number}"
    gates = [{"name": f"gate {n}", "allowed": True, "reason": "fine", "inputs": {"n": n}} for n in range(15)]
    return Change(
        incident=rows.incident(key),
        run=rows.run(key),
        escalation=rows.escalation(key),
        attempts=(rows.attempt(f"{key}/a", incident=key),),
        deliveries=(rows.delivery(f"{key}/p", incident=key),),
        events=tuple(rows.event(incident=key, data={"gates": gates}) for _ in range(4)),
    )


def test_a_whole_decision_is_written_in_under_a_millisecond_beside_the_sync() -> None:
    took = []
    with Store.open(":memory:") as store:
        for number in range(200):
            change = decision(number)
            began = time.perf_counter()
            with store.write() as uow:
                uow.apply(change)
            took.append(time.perf_counter() - began)
    assert min(took) < BOUND, f"best of {len(took)}: {min(took) * 1000:.2f} ms"


def test_a_group_of_alerts_costs_little_for_each() -> None:
    alerts = [rows.alert(f"f{n}") for n in range(100)]
    took = []
    with Store.open(":memory:") as store:
        for _ in range(20):
            began = time.perf_counter()
            store.record(alerts=alerts)
            took.append(time.perf_counter() - began)
    assert min(took) / len(alerts) < BOUND / 10, f"{min(took) / len(alerts) * 1e6:.0f} µs an alert"
