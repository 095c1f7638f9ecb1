"""Rungs that mend nothing: whatever comes of them the climb goes on, and they count against nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.section import Autonomy
from daemon.incidents.change import Change
from daemon.incidents.events import Kind
from daemon.incidents.records import ASIDE
from daemon.mitigate import journal
from daemon.mitigate.moves import Act, Ask, Await, GiveUp, Propose
from daemon.mitigate.reloaded import on_ladder
from daemon.store.store import Store
from remediations.guardrails.facts import Flight, Storming, Wheel
from remediations.guardrails.registry import ask
from remediations.outcome import Outcome, OutcomeState
from remediations.run import Run, RunState
from tests.fakes.climbing import INCIDENT, NOW, Climb, attempt, playbook, run, rung

WAIT = {"do": {"wait": {"for": "2m"}}}
TELL = {"do": {"http": {"method": "POST", "url": "http://hooks/tell"}}}
"""Of a kind that mends nothing by the facts of the test."""
ENDED = NOW - 20
"""When the attempts of `tests.fakes.climbing` end."""


def acting(**fields: Any) -> Any:
    return run(RunState.ACTING, attempt="sf-1/1/settle/do/1", tries=1, **fields)


def waited(outcome: str | None = "done") -> Any:
    return attempt(outcome, rung="settle", kind=ASIDE, action="wait", args={"for": 120.0}, disruptive=False)


def told(outcome: str | None) -> Any:
    return attempt(outcome, rung="tell", kind=ASIDE, action="notify", disruptive=False)


# ---------------------------------------------------------------------- after the action


@pytest.mark.parametrize("outcome", ["done", "failed", "unknown"])
def test_whatever_came_of_telling_people_the_next_rung_comes_diagnosed_anew(outcome: str) -> None:
    book = playbook(rung("tell", undo=TELL["do"], on_interrupt="rerun"), rung("mend"))
    done = Climb(book, attempt=told(outcome))(acting())
    assert isinstance(done.move, Ask)
    assert (done.run.state, done.run.rung, done.run.attempt) == (RunState.DIAGNOSING, 1, None)
    assert done.verdict is None, "it is not verified, and not judged"
    assert not [event for event in done.events if event.kind in {Kind.VERDICT, Kind.UNDOING}]


def test_what_was_not_said_is_said_once_more() -> None:
    done = Climb(playbook(rung("tell"), rung("mend")), attempt=told("not_done"))(acting())
    assert (done.run.state, done.run.rung) == (RunState.DIAGNOSING, 0)


def test_even_a_contain_rung_contains_nothing_by_waiting() -> None:
    book = playbook(rung("tell", kind="contain", confirm={"probe": "storage-health"}), rung("mend"))
    done = Climb(book, attempt=told("done"))(acting())
    assert done.contained is None
    assert done.run.contained_by == ()


# ---------------------------------------------------------------------- waiting


@pytest.mark.parametrize("outcome", ["done", "unknown"], ids=["begun", "killed as it began"])
def test_a_wait_is_the_due_time_of_the_run(outcome: str) -> None:
    climb = Climb(playbook(rung("settle", **WAIT), rung("mend")), attempt=waited(outcome))
    done = climb(acting())
    assert (done.run.state, done.run.due_at) == (RunState.WAITING, ENDED + 120)
    assert done.move == Await(ENDED + 120)
    assert [event.text for event in done.events] == ["settle waits: 2m before the next rung."]


def test_it_lasts_to_its_end_and_not_a_second_longer_and_writes_nothing_meanwhile() -> None:
    climb = Climb(playbook(rung("settle", **WAIT), rung("mend")), attempt=waited())
    waiting = climb(acting()).run
    before = climb(waiting, ENDED + 119)
    assert (before.run, before.events) == (waiting, ())
    after = climb(waiting, ENDED + 120)
    assert isinstance(after.move, Ask)
    assert (after.run.state, after.run.rung, after.run.reason) == (RunState.DIAGNOSING, 1, "")


def test_a_wait_that_ended_while_the_daemon_was_away_is_over() -> None:
    climb = Climb(playbook(rung("settle", **WAIT), rung("mend")), attempt=waited())
    assert climb(acting(), NOW + 3600).run.rung == 1


def test_a_wait_that_a_reload_took_out_is_over_and_no_rung_is_passed_over_for_it() -> None:
    waiting = run(RunState.WAITING, attempt="sf-1/1/settle/do/1", at="settle", due_at=NOW + 60)
    after = playbook(rung("mend"), rung("other"))
    found = on_ladder(waiting, after, waited())
    assert isinstance(found, Run)
    done = Climb(after)(found)
    assert isinstance(done.move, Act)
    assert done.move.rung.name == "mend"


# ---------------------------------------------------------------------- guardrails


def aside(climb: Climb, **facts: Any) -> Climb:
    climb.facts = replace(climb.facts, mends=False, disruptive=False, **facts)
    return climb


OTHERS = (
    Flight("sf-2", "storage-hot", (("tier", "warm"),), "http", ("tier=hot",), ("storage",)),
    Flight("sf-3", "storage-hot", (("tier", "cold"),), "http", ("tier=cold",), ("storage",)),
)


def test_no_cap_no_lock_no_budget_and_no_cooldown_is_asked_of_what_mends_nothing() -> None:
    book = playbook(rung("tell"), guardrails={"lock": "storage", "cooldown": "15m", "budget": "1 per 1h"})
    climb = aside(Climb(book), in_flight=OTHERS, used=(NOW - 5,), climb_ended_at=NOW - 10)
    done = climb(run())
    assert isinstance(done.move, Act)
    assert done.run.acted is False, "the next rung's cooldown still counts"


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"kill_switch": "the file exists"}, "everything stops"),
        ({"wheel": Wheel(paged_at=NOW - 60)}, "a person has the wheel"),
        ({"storm": Storming("st-1", NOW - 60, NOW + 60)}, "its page stands for all"),
    ],
)
def test_what_stops_everything_stops_it_too(facts: dict[str, Any], why: str) -> None:
    climb = aside(Climb(playbook(rung("tell"), rung("mend"))), **facts)
    assert not isinstance(climb(run()).move, Act), why


@pytest.mark.parametrize(
    ("facts", "gate"),
    [
        ({"told": True}, "told"),
        ({"target_error": "scope.tier has a value that must not become part of an action"}, "target_set"),
        ({"ceiling": Autonomy.OBSERVE}, "autonomy"),
    ],
)
def test_what_cannot_be_told_is_left_out_and_never_keeps_the_ladder_from_what_mends(
    facts: dict[str, Any], gate: str
) -> None:
    book = playbook(rung("tell"), rung("mend"))
    climb = Climb(book)
    usual = climb.facts_for

    def facts_for(rung: Any, run: Any) -> Any:
        found = usual(rung, run)
        return replace(found, mends=False, disruptive=False, **facts) if rung.name == "tell" else found

    climb.facts_for = facts_for  # type: ignore[method-assign]  # one rung tells, the other mends
    done = climb(run())
    assert isinstance(done.move, Act)
    assert done.move.rung.name == "mend"
    skipped = [event for event in done.events if event.kind is Kind.SKIPPED]
    assert [(event.data["rung"], event.data["gate"]) for event in skipped] == [("tell", gate)]


def test_one_that_has_to_be_approved_is_proposed_like_any_other() -> None:
    assert isinstance(aside(Climb(playbook(rung("tell", autonomy="propose"))))(run()).move, Propose)


def test_what_mends_is_asked_everything_as_before() -> None:
    climb = Climb(playbook(rung(), guardrails={"cooldown": "15m"}))
    climb.facts = replace(climb.facts, climb_ended_at=NOW - 10, told=False)
    assert isinstance(climb(run()).move, GiveUp)
    made = climb.facts_for(climb.book.ladder[0], run())
    assert not ask(climb.book.ladder[0], climb.book.guardrails, made, NOW).allowed


# ---------------------------------------------------------------------- the journal

OWED = {"return": {"after": "1h", "do": TELL["do"], "autonomy": "auto"}}


@pytest.mark.parametrize(
    ("fields", "outcome", "debts", "why"),
    [
        (OWED, OutcomeState.DONE, 1, "what was told is taken back"),
        (OWED, OutcomeState.UNKNOWN, 1, "and what perhaps was"),
        (OWED, OutcomeState.FAILED, 0, "not what was not"),
        ({"kind": "contain", "effect": {"probe": "p"}}, OutcomeState.DONE, 0, "it contains nothing"),
        ({}, OutcomeState.DONE, 0, "there is nothing to take back"),
    ],
)
def test_what_is_owed_after_people_were_told_is_its_return_and_no_target_is_locked(
    fields: dict[str, Any], outcome: OutcomeState, debts: int, why: str
) -> None:
    book = playbook(rung("tell", **fields), guardrails={"failover_lock": "1h"})
    row = replace(told(None), playbook="storage-hot")
    store = Store.open("sqlite://")
    with store.write() as uow:
        uow.apply(Change(incident=INCIDENT))
        change = journal.ended(uow, row, book, Outcome(outcome, "told", "", NOW), NOW)
    assert (len(change.debts), change.locks) == (debts, ()), why
