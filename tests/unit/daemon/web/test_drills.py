"""The Playbooks page shows the newest drill of each playbook: its result as a word, and what would not have worked."""

from __future__ import annotations

from dataclasses import replace

from config.scope import scope_of
from daemon.incidents.drills import Check, Drill, DrillState, Grade, RungDrill, ScopeDrill
from daemon.web.views.drills import MOST_TOLD, last_of_each

HOT = scope_of({"tier": "hot"})


def drill(at: float, *failed: str, state: DrillState | None = None) -> Drill:
    checks = (Check("when", Grade.PASSED, "decided"), *(Check(name, Grade.FAILED, "no") for name in failed))
    rung = RungDrill("fail-over", "cure", "http", checks=checks)
    row = Drill(
        f"dr-{at}", "storage-hot", at, "ana", DrillState.ASKED, scopes=(ScopeDrill(HOT, (), (rung,)),)
    )
    return row.over(at + 2) if state is None else replace(row, state=state)


def test_the_newest_counts_and_its_failures_are_told_with_their_place() -> None:
    found = last_of_each([drill(20.0, "do"), drill(10.0)])["storage-hot"]
    assert (found.look.tone, found.look.word) == ("firing", "failed")
    assert (found.passed, found.asked, found.at) == (1, 2, 22.0)
    assert found.failed == ("hot: fail-over, do: no",)


def test_one_that_passed_or_is_under_way_has_nothing_to_tell() -> None:
    assert last_of_each([drill(10.0)])["storage-hot"].look.word == "passed"
    assert last_of_each([drill(10.0, state=DrillState.ASKED)])["storage-hot"].look.word == "under way"


def test_many_failures_are_counted() -> None:
    found = last_of_each([drill(10.0, *(f"check {number}" for number in range(9)))])["storage-hot"]
    assert (len(found.failed), found.more) == (MOST_TOLD, 9 - MOST_TOLD)
