"""The record of a rung, counted from the journal's verdicts: the same with every engine."""

from __future__ import annotations

from typing import Any

from daemon.incidents.change import Change
from daemon.incidents.records import Attempt, Phase
from daemon.store.store import Store
from tests.fakes import rows


def test_verdicts_are_counted_by_rung_since_then(store: Store) -> None:
    def judged(number: int, **fields: Any) -> Attempt:
        rung = fields.get("rung", "fail_over")
        given = {"started_at": 100.0, "outcome": "done", "verdict": "recovered", "rung": rung, **fields}
        return rows.attempt(
            f"po-{number}/1/{rung}/{given.get('phase', 'do')}/1", incident=f"po-{number}", **given
        )

    attempts = (
        judged(1),
        judged(2, started_at=200.0),
        judged(3, verdict="not_recovered"),
        judged(4, started_at=99.0),
        judged(5, verdict=None),
        judged(6, rung="fail-over"),
        judged(7, playbook="another"),
        judged(8, phase=Phase.UNDO),
    )
    with store.write() as uow:
        uow.apply(Change(attempts=attempts))
    with store.read() as uow:
        counted = uow.attempts.verdicts_since("provider-outage", "fail_over", 100.0)
    assert counted == {"recovered": 2, "not_recovered": 1}
