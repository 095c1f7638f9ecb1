"""Earned autonomy over the shipped pack: a poor record asks first, says so once, and is a level of the journal's rows."""

from __future__ import annotations

import pytest

from daemon.desk import queries
from daemon.desk.known import known_of
from daemon.incidents.change import Change
from daemon.incidents.events import Kind
from daemon.incidents.records import PageEvent, Phase
from remediations.run import RunState
from tests.acceptance.variants import REFUSES
from tests.fakes import rows
from tests.fakes.story import DAY, HOUR, MINUTE, STORAGE, Story

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

MODE, FAIL_OVER = "storage_failure", "fail-over-to-replica"
TOLD = "heads_up: {notify: ['schedule:primary']}\n"
SUGGESTS = TOLD + "earned_autonomy: {}\n"
DEMOTES = TOLD + "earned_autonomy: {demotes: true}\n"


def story(more: str, *, in_vain: int, ago: float = DAY) -> Story:
    """Hot storage is about to refuse writes, and the fail-over has a record."""
    made = Story(more, only=STORAGE)
    past = tuple(
        rows.attempt(
            f"sf-{number}/1/{FAIL_OVER}/do/1",
            incident=f"sf-{number}",
            playbook="storage-hot",
            rung=FAIL_OVER,
            phase=Phase.DO,
            intended_at=made.now - ago,
            started_at=made.now - ago,
            ended_at=made.now - ago + 1,
            outcome="done",
            verdict="not_recovered",
        )
        for number in range(in_vain)
    )
    with made.store.write() as uow:
        uow.apply(Change(attempts=past))
    return made


def found(made: Story) -> Story:
    made.until(10 * MINUTE, lambda: bool(made.incidents(MODE)))
    made.run(MINUTE)
    return made


def notes(made: Story) -> list[str]:
    return [e.text for e in made.events(made.incident(MODE), Kind.NOTE) if e.data.get("what") == "demoted"]


def test_what_helped_too_seldom_asks_first_with_its_numbers_in_the_trace() -> None:
    made = story(DEMOTES, in_vain=10)
    REFUSES(made.world)
    found(made)
    incident = made.incident(MODE)
    assert made.run_of(incident).state is RunState.PROPOSED
    assert made.world.effects == []
    trace = made.events(incident, Kind.GATES)[-1].data["gates"]
    (gate,) = [gate for gate in trace if not gate["allowed"]]
    assert (gate["name"], gate["inputs"]["rung"]) == ("autonomy", "auto")
    assert gate["reason"] == "needs a person's approval: it helped 0 of 10 times, so at least 0% (below 30%)"
    assert gate["inputs"]["earned"]["in_vain"] == 10
    made.order("approve", incident, rung=FAIL_OVER)
    made.until(HOUR, lambda: made.incident(MODE).ended)
    assert made.incident(MODE).resolved_by == FAIL_OVER, "a person may still let it run"


@pytest.mark.parametrize(
    ("more", "in_vain", "ago", "why"),
    [
        (TOLD, 10, DAY, "records do not count unless they are asked for"),
        (SUGGESTS, 10, DAY, "a suggestion holds nothing back"),
        (DEMOTES, 9, DAY, "nine verdicts are too few"),
        (DEMOTES, 10, 91 * DAY, "what is older than the window is forgotten"),
    ],
)
def test_it_acts_by_itself_otherwise(more: str, in_vain: int, ago: float, why: str) -> None:
    made = story(more, in_vain=in_vain, ago=ago)
    REFUSES(made.world)
    made.until(20 * MINUTE, lambda: bool(made.world.did("/tiers/hot/failover")))
    assert notes(made) == [], why


def test_the_verdict_that_tips_the_record_is_told_once_and_by_a_heads_up() -> None:
    made = story(DEMOTES, in_vain=9)
    made.world.break_tier("hot", "both_refuse")
    made.until(HOUR, lambda: bool(made.incidents(MODE)) and bool(notes(made)))
    incident = made.incident(MODE)
    said = [f"{FAIL_OVER} asks first from now on: it helped 0 of 10 times, so at least 0% (below 30%)."]
    assert notes(made) == said, made.told()
    told = [row for row in made.deliveries(incident) if row.event is PageEvent.HEADS_UP]
    assert [row.facts["text"] for row in told if row.facts["what"] == "demoted"] == said
    made.driver.crash()
    made.run(MINUTE)
    assert notes(made) == said, "and not again after a restart"


def test_a_report_names_what_its_record_suggests() -> None:
    made = story(SUGGESTS, in_vain=10)
    known = known_of(made.driver.loaded, "0.1.0")
    with made.store.read() as uow:
        (one,) = queries.report(uow, known, made.now - DAY, made.now).earned
    assert (one.playbook, one.rung, one.autonomy, one.suggests) == (
        "storage-hot",
        FAIL_OVER,
        "auto",
        "propose",
    )
    assert (one.helped, one.in_vain, one.demoted) == (0, 10, False)
