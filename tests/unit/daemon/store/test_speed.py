"""A decision's commit costs little beside the disk's sync: measured in memory, where there is none."""

from __future__ import annotations

import time

from daemon.store.store import Store
from tests.fakes import rows

BOUND = 0.001
"""Seconds; the best of many tries, so that a busy machine does not decide the test."""


def test_a_whole_decision_is_written_in_under_a_millisecond_beside_the_sync() -> None:
    took = []
    with Store.open(":memory:") as store:
        for number in range(200):
            change = rows.decision(number)
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
