"""Which rung, and may it: only `when` and `require` move on, a refusal stops, and what lifts by itself is waited for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.section import Autonomy
from daemon.incidents.events import Kind
from daemon.mitigate.moves import Act, Approval, Await, GiveUp, Propose, Recheck
from remediations.guardrails.facts import Cause, Flight, Muting, Storming, Wheel
from remediations.run import RunState
from tests.fakes.climbing import HOT, NOW, Climb, playbook, run, rung

OTHER = Flight("sf-2", "storage-warm", (("tier", "warm"),), "http", ("tier=warm",), ("storage",))
CAUSE = Cause("provider_outage", HOT, "pending", NOW + 120)
LOCKED = {"guardrails": {"lock": "storage", "wait_up_to": "2m"}}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"when": "facts.health.body.reason == 'full'"}, "it does not fit the diagnosis"),
        ({"when": "facts.health.body.nothing.there == 1"}, "whether it fits is unknown"),
        ({"require": "facts.health.body.reason == 'ok'"}, "it is not safe"),
        ({"require": "facts.other.ok"}, "whether it is safe is unknown"),
    ],
)
def test_only_a_false_or_unknown_when_or_require_moves_to_the_next_rung(
    fields: dict[str, Any], why: str
) -> None:
    done = Climb(playbook(rung("first", **fields), rung("second")))(run())
    assert isinstance(done.move, Act), why
    assert done.move.rung.name == "second"
    assert [e.data["rung"] for e in done.events if e.kind is Kind.SKIPPED] == ["first"]


@pytest.mark.parametrize(
    ("facts", "gate"),
    [
        ({"kill_switch": "the file exists"}, "kill_switch"),
        ({"leader": False}, "leader"),
        ({"wheel": Wheel(paged_at=NOW - 60)}, "person"),
        ({"target_error": "empty"}, "target_set"),
        ({"targets": ()}, "target_set"),
        ({"mutings": (Muting("pause", "ana", "careful", None),)}, "maintenance"),
        ({"mutings": (Muting("pause", "ana", "careful", NOW + 60),)}, "maintenance"),
        ({"used": (NOW - 30, NOW - 20, NOW - 10)}, "budget"),
        ({"climb_ended_at": NOW - 60}, "cooldown"),
    ],
)
def test_a_refusal_that_does_not_lift_by_itself_stops_the_ladder_and_pages(
    facts: dict[str, Any], gate: str
) -> None:
    climb = Climb(playbook(rung("soft"), rung("harsh"), guardrails={"cooldown": "15m"}))
    climb.facts = replace(climb.facts, **facts)
    done = climb(run())
    assert isinstance(done.move, GiveUp)
    assert gate in done.move.reason
    assert done.run.rung == 0, "a guardrail never pushes to a harsher rung"
    (trace,) = [e for e in done.events if e.kind is Kind.GATES]
    assert len(trace.data["gates"]) == 15


@pytest.mark.parametrize(
    ("facts", "until", "why"),
    [
        ({"in_flight": (OTHER,)}, NOW + 120, "a lock is waited for as long as wait_up_to"),
        ({"causes": (CAUSE,)}, NOW + 120, "a pending cause as long as its own hold"),
        (
            {"mutings": (Muting("maintenance", "ana", "disks", NOW + 3600),)},
            NOW + 3600,
            "a maintenance to its end",
        ),
        ({"mutings": (Muting("silence", "ana", "noise", NOW + 50),)}, NOW + 50, "a silence to its end"),
        ({"corroborated": False}, NOW + 120, "a second witness may still speak"),
    ],
)
def test_a_refusal_that_lifts_by_itself_is_waited_for(facts: dict[str, Any], until: float, why: str) -> None:
    climb = Climb(playbook(**LOCKED))
    climb.facts = replace(climb.facts, **facts)
    done = climb(run())
    assert done.move == Await(until), why
    assert done.run.state is RunState.WAITING


def test_what_was_waited_for_in_vain_is_a_page() -> None:
    climb = Climb(playbook(**LOCKED))
    climb.facts = replace(climb.facts, in_flight=(OTHER,))
    waiting = climb(run()).run
    fault = replace(climb.fault, observed_at=NOW + 119)
    climb.fault = fault
    assert climb(waiting, NOW + 119).run.state is RunState.WAITING
    done = climb(waiting, NOW + 120)
    assert isinstance(done.move, GiveUp)
    assert "lock" in done.move.reason or "in_flight" in done.move.reason


@pytest.mark.parametrize(
    "first",
    [
        {"mutings": (Muting("maintenance", "ana", "disks", NOW + 3600),)},
        {"storm": Storming("st-1", NOW - 60, NOW + 3600)},
        {"causes": (replace(CAUSE, settles_at=NOW + 3600),)},
    ],
    ids=["a maintenance", "a storm", "a pending cause"],
)
def test_a_turn_is_waited_for_from_when_it_is_waited_for(first: dict[str, Any]) -> None:
    """Else whoever came out of an hour of waiting would be given up at the first lock that another one holds."""
    climb = Climb(playbook(**LOCKED))
    free = climb.facts
    climb.facts = replace(free, **first)
    held = climb(run()).run
    assert held.state is RunState.WAITING
    climb.facts = replace(free, in_flight=(OTHER,))
    climb.fault = replace(climb.fault, at=NOW + 3600, observed_at=NOW + 3600)
    queued = climb(held, NOW + 3600)
    assert queued.move == Await(NOW + 3720)
    climb.fault = replace(climb.fault, at=NOW + 3720, observed_at=NOW + 3720)
    assert isinstance(climb(queued.run, NOW + 3720).move, GiveUp)


def test_what_lifts_in_time_lets_the_rung_run() -> None:
    climb = Climb(playbook(**LOCKED))
    climb.facts = replace(climb.facts, in_flight=(OTHER,))
    waiting = climb(run()).run
    climb.facts = replace(climb.facts, in_flight=())
    done = climb(waiting, NOW + 30)
    assert isinstance(done.move, Act)
    assert done.run.waiting_since is None


@pytest.mark.parametrize(
    ("own", "ceiling", "move"),
    [
        ("auto", Autonomy.AUTO, Act),
        ("propose", Autonomy.AUTO, Propose),
        ("auto", Autonomy.PROPOSE, Propose),
        ("observe", Autonomy.AUTO, GiveUp),
        ("auto", Autonomy.OBSERVE, GiveUp),
        ("propose", Autonomy.OBSERVE, GiveUp),
    ],
)
def test_the_lower_of_rung_and_ceiling_decides(own: str, ceiling: Autonomy, move: type) -> None:
    climb = Climb(playbook(rung(autonomy=own)))
    climb.facts = replace(climb.facts, ceiling=ceiling)
    assert isinstance(climb(run()).move, move)


def test_nothing_is_proposed_that_another_guardrail_refuses() -> None:
    climb = Climb(playbook(rung(autonomy="propose")))
    climb.facts = replace(climb.facts, kill_switch="the file exists")
    assert isinstance(climb(run()).move, GiveUp)


def test_an_approval_is_good_for_one_rung_and_releases_the_wheel_for_it() -> None:
    book = playbook(
        rung(autonomy="propose", when="facts.health.body.reason == 'refuses'"), rung("b", autonomy="propose")
    )
    climb = Climb(book)
    climb.facts = replace(climb.facts, wheel=Wheel(paged_at=NOW - 60))
    climb.approval = Approval("ana", approved=True)
    proposed = run(RunState.PROPOSED, proposal_expires_at=NOW + 100)
    done = climb(proposed)
    assert isinstance(done.move, Act)
    assert done.run.approved_by == "ana"


def test_an_approval_acts_only_on_what_is_still_broken_on_fresh_data() -> None:
    climb = Climb(playbook(rung(autonomy="propose")), approval=Approval("ana", approved=True))
    climb.fault = replace(climb.fault, observed_at=NOW - 900)
    assert isinstance(climb(run(RunState.PROPOSED, proposal_expires_at=NOW + 100)).move, Recheck)


@pytest.mark.parametrize(
    ("approval", "now", "words"),
    [
        (Approval("ben", approved=False, reason="not now"), NOW, "ben rejected"),
        (None, NOW + 100, "expired"),
    ],
)
def test_a_proposal_that_is_rejected_or_expires_is_given_up(
    approval: Approval | None, now: float, words: str
) -> None:
    climb = Climb(playbook(rung(autonomy="propose")), approval=approval)
    done = climb(run(RunState.PROPOSED, proposal_expires_at=NOW + 100), now)
    assert isinstance(done.move, GiveUp)
    assert words in done.move.reason
