"""Every guardrail: when it refuses, why, and until when. One row per promise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.scope import scope_of
from config.section import Autonomy
from config.units import Budget
from remediations.guardrails.facts import Cause, Facts, Flight, Muting, Storming, Switched, Wheel
from remediations.guardrails.gate import Unsure
from remediations.guardrails.registry import GUARDRAILS, ask
from remediations.spec import Guardrails, Rung
from remediations.verification import Reading, Seen

NOW = 10_000.0
HOT = scope_of({"tier": "hot"})
WARM = scope_of({"tier": "warm"})
RUNG = Rung.model_validate({"name": "restart", "do": {"service": {}}, "autonomy": "auto"})
SWITCH = Rung.model_validate(
    {"name": "switch", "do": {"http": {}}, "autonomy": "auto", "return": {"do": {"http": {}}}}
)
RULES = Guardrails.model_validate({"cooldown": "15m", "budget": "2 per 1h", "lock": "storage"})
GOOD = Facts(
    incident="sf-1",
    playbook="storage-hot",
    scope=HOT,
    ceiling=Autonomy.AUTO,
    action="service",
    targets=("hot-writer",),
    fault=Reading(NOW, Seen.BREACH, NOW - 5),
    fresh_within=60.0,
)


def flight(**changed: Any) -> Flight:
    fields: dict[str, Any] = {
        "incident": "sf-2",
        "playbook": "storage-warm",
        "scope": WARM,
        "action": "http",
        "targets": ("warm",),
        "locks": (),
    }
    return Flight(**{**fields, **changed})


def refused(facts: Facts, rung: Rung = RUNG, rules: Guardrails = RULES) -> list[str]:
    return [gate.name for gate in ask(rung, rules, facts, NOW).refusals]


def test_all_fifteen_are_always_asked_in_the_order_of_the_design() -> None:
    answer = ask(RUNG, RULES, replace(GOOD, kill_switch="file exists", leader=False), NOW)
    assert [gate.name for gate in answer.gates] == [guardrail.name for guardrail in GUARDRAILS]
    assert len(answer.gates) == 15
    assert [gate.name for gate in answer.refusals] == ["kill_switch", "leader"]


def test_nothing_is_refused_when_all_is_well() -> None:
    assert refused(GOOD) == []


@pytest.mark.parametrize(
    ("changed", "gate", "reason"),
    [
        ({"kill_switch": "file exists"}, "kill_switch", "the switch is on"),
        ({"leader": False}, "leader", "another daemon leads"),
        ({"wheel": Wheel(paged_at=NOW - 1)}, "person", "a person was paged"),
        ({"wheel": Wheel(paged_at=NOW - 1, released_at=NOW - 5)}, "person", "paged again after the release"),
        ({"ceiling": Autonomy.OBSERVE}, "autonomy", "the ceiling holds for every rung"),
        ({"ceiling": Autonomy.PROPOSE}, "autonomy", "no approval yet"),
        ({"targets": ()}, "target_set", "empty is an error, never everything"),
        ({"target_error": "hostile label"}, "target_set", "a label that would leave its place"),
        ({"fault": Reading(NOW, Seen.OK, NOW)}, "fresh_fault", "healthy by now (B2, B3)"),
        ({"fault": Reading(NOW, Seen.UNKNOWN)}, "fresh_fault", "unknown never acts (B4)"),
        ({"fault": Reading(NOW, Seen.BREACH, NOW - 61)}, "fresh_fault", "evidence older than fresh_within"),
        ({"corroborated": False}, "fresh_fault", "a lone witness takes no disruptive action"),
        (
            {"causes": (Cause("storage_failure", HOT, "pending", NOW + 9),)},
            "pending_cause",
            "a cause is undecided",
        ),
        ({"mutings": (Muting("pause", "ana", "deploy", None),)}, "maintenance", "one reason is enough (B12)"),
        ({"in_flight": (flight(), flight(incident="sf-3"))}, "in_flight", "2 of 2 in flight (B1)"),
        ({"in_flight": (flight(targets=("hot-writer",)),)}, "in_flight", "1 of 1 on this target"),
        ({"in_flight": (flight(playbook="storage-hot"),)}, "in_flight", "another scope of this playbook"),
        ({"in_flight": (flight(locks=("storage",)),)}, "lock", "the lock is held"),
        ({"used": (NOW - 100, NOW - 50)}, "budget", "2 of 2 used in the hour"),
        ({"climb_ended_at": NOW - 899}, "cooldown", "1 s of 15 min left"),
    ],
)
def test_a_guardrail_refuses(changed: dict[str, Any], gate: str, reason: str) -> None:
    assert gate in refused(replace(GOOD, **changed)), reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"wheel": Wheel(paged_at=NOW - 5, released_at=NOW - 1)}, "resume or approval after the page"),
        ({"ceiling": Autonomy.PROPOSE, "wheel": Wheel(NOW - 5, NOW - 1, "ana")}, "approved by a person"),
        ({"disruptive": False, "fault": Reading(NOW, Seen.UNKNOWN)}, "a harmless action needs no evidence"),
        ({"in_flight": (flight(incident="sf-1"),)}, "its own action is not another's"),
        ({"used": (NOW - 3601, NOW - 50)}, "the oldest left the window"),
        ({"climb_ended_at": NOW - 900}, "cooled down"),
        ({"climb_ended_at": NOW - 5, "climb_started": True}, "no cooldown within a climb"),
        (
            {"switched": (Switched("hot-writer", NOW + 60, "switched", "sf-9"),)},
            "only switches are locked, not restarts",
        ),
    ],
)
def test_a_guardrail_lets_pass(changed: dict[str, Any], reason: str) -> None:
    assert refused(replace(GOOD, **changed)) == [], reason


def test_a_budget_says_when_it_is_free_again() -> None:
    gate = next(g for g in ask(RUNG, RULES, replace(GOOD, used=(NOW - 100, NOW - 50)), NOW).refusals)
    assert gate.until == NOW - 100 + 3600


OVERALL = Budget(3, 3600.0)


@pytest.mark.parametrize(
    ("own", "all_", "until", "reason"),
    [
        ((), (NOW - 60, NOW - 50), None, "0 of 2 used"),
        ((), (NOW - 60, NOW - 50, NOW - 40), NOW - 60 + 3600, "budget of everything 3 of 3 used"),
        ((), (NOW - 3601, NOW - 50, NOW - 40), None, "0 of 2 used"),
        (
            (NOW - 30, NOW - 20),
            (NOW - 60, NOW - 30, NOW - 20),
            NOW - 30 + 3600,
            "budget 2 of 2 used; budget of everything 3 of 3 used",
        ),
    ],
    ids=["both have room", "everything is spent", "the oldest left the window", "both are spent"],
)
def test_everything_together_may_have_a_budget_too(
    own: tuple[float, ...], all_: tuple[float, ...], until: float | None, reason: str
) -> None:
    facts = replace(GOOD, used=own, used_overall=all_, overall=OVERALL)
    gate = next(g for g in ask(RUNG, RULES, facts, NOW).gates if g.name == "budget")
    assert (gate.until, gate.reason) == (until, reason)
    assert gate.allowed is (until is None)
    assert gate.inputs["overall_of"] == 3
    asked = ask(RUNG, RULES, replace(facts, returning=True), NOW)
    assert "budget" not in {g.name for g in asked.refusals}, "what was begun may be given back"


def test_a_switched_target_is_locked_for_switches_until_its_time() -> None:
    locked = replace(GOOD, switched=(Switched("hot-writer", NOW + 60, "switched", "sf-9"),))
    gates = ask(SWITCH, RULES, locked, NOW).refusals
    assert [(gate.name, gate.until) for gate in gates] == [("failover_lock", NOW + 60)]


def test_require_is_a_no_when_it_cannot_be_known() -> None:
    rung = Rung.model_validate(
        {"name": "x", "do": {"http": {}}, "autonomy": "auto", "require": "facts.health.body.lag < 30"}
    )
    silent = replace(GOOD, names={"facts": {"health": {"ok": False, "error": "no answer"}}})
    assert refused(silent, rung) == ["require"]
    fit = replace(GOOD, names={"facts": {"health": {"ok": True, "body": {"lag": 3}}}})
    assert refused(fit, rung) == []


def test_a_cause_that_stays_undecided_after_its_hold_is_not_waited_for() -> None:
    late = replace(GOOD, causes=(Cause("storage_failure", HOT, "no_data", NOW),))
    gate = next(g for g in ask(RUNG, RULES, late, NOW).refusals if g.name == "pending_cause")
    assert not gate.waits


def test_a_maintenance_ends_with_its_last_reason() -> None:
    both = (Muting("maintenance", "ana", "disks", NOW + 60), Muting("silence", "ben", "noise", NOW + 90))
    gate = next(g for g in ask(RUNG, RULES, replace(GOOD, mutings=both), NOW).refusals)
    assert gate.until == NOW + 90
    endless = (*both, Muting("pause", "chloe", "stop", None))
    gate = next(g for g in ask(RUNG, RULES, replace(GOOD, mutings=endless), NOW).refusals)
    assert gate.until is None


def test_in_a_storm_only_storm_safe_rungs_are_begun_and_the_others_wait_for_its_end() -> None:
    storm = replace(GOOD, storm=Storming("st-abcdef", NOW - 60, NOW + 300))
    gate = next(g for g in ask(RUNG, RULES, storm, NOW).refusals)
    assert (gate.name, gate.waits, gate.until) == ("storm", True, NOW + 300)
    assert gate.inputs["storm"] == "st-abcdef"
    safe = RUNG.model_copy(update={"storm_safe": True})
    assert refused(storm, safe) == []


def test_every_guardrail_says_which_way_it_fails_and_three_fail_open() -> None:
    assert {g.name for g in GUARDRAILS if g.unsure is Unsure.OPEN} == {"storm", "cooldown", "failover_lock"}
    assert all(isinstance(g.unsure, Unsure) for g in GUARDRAILS)


@pytest.mark.parametrize(
    ("name", "unknown", "why"),
    [
        ("target_set", {"targets": ()}, "an empty target set is an error, never everything"),
        ("fresh_fault", {"fault": Reading(NOW, Seen.UNKNOWN)}, "unknown never acts"),
        ("fresh_fault", {"fault": Reading(NOW, Seen.BREACH, NOW - 61)}, "evidence of a minute ago is old"),
        ("leader", {"leader": False}, "a lease that may have run out is no lease"),
    ],
)
def test_what_fails_closed_refuses_what_it_cannot_know(
    name: str, unknown: dict[str, object], why: str
) -> None:
    assert refused(replace(GOOD, **unknown)) == [name], why  # type: ignore[arg-type]  # fields of Facts
    assert next(g for g in GUARDRAILS if g.name == name).unsure is Unsure.CLOSED
