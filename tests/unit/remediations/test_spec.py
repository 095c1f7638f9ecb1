from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from config.scope import WHOLE, scope_of
from config.section import Autonomy
from config.units import Budget
from remediations.actions.registry import validate_action
from remediations.spec import Limits, OnInterrupt, Playbook, Rung, RungKind, Storm, action_of

HTTP = {"http": {"url": "http://storage-admin:8080/failover"}}


def rung(**more: Any) -> dict[str, Any]:
    return {"name": "act", "do": HTTP, **more}


def playbook(**more: Any) -> Playbook:
    return Playbook.model_validate({"failure_mode": "storage_failure", **more})


def test_a_rung_that_says_little_is_careful() -> None:
    made = Rung.model_validate(rung())
    assert (made.kind, made.autonomy, made.on_interrupt, made.storm_safe) == (
        RungKind.CURE,
        Autonomy.PROPOSE,
        OnInterrupt.PAGE,
        False,
    )
    assert (made.verify.within, made.verify.hold) == (300.0, 120.0)


def test_a_playbook_that_says_little_is_bounded() -> None:
    made = playbook()
    assert made.deadline == 900.0
    assert made.escalation == "default"
    rails = made.guardrails
    assert (rails.cooldown, rails.budget, rails.wait_up_to, rails.blast_radius.max_scopes) == (
        900.0,
        Budget(3, 3600.0),
        120.0,
        1,
    )


EXAMPLE = """
failure_mode: storage_failure
match: {tier: hot}
diagnose: {health: {probe: storage-health}}
ladder:
  - name: fail-over-to-replica
    require: "facts.health.body.replica_lag_s < 30"
    do: {http: {url: "http://storage-admin:8080/tiers/{{ scope.tier }}/failover", expect: 2xx}}
    undo: {http: {url: "http://storage-admin:8080/tiers/{{ scope.tier }}/failback", expect: 2xx}}
    return:
      after: 1h
      when: "facts.health.body.primary == 'healthy'"
      do: {http: {url: "http://storage-admin:8080/tiers/{{ scope.tier }}/failback", expect: 2xx}}
    on_interrupt: probe
    confirm: {probe: storage-health, ok: "body.active == 'replica'"}
    verify: {within: 6m, hold: 2m}
    autonomy: auto
guardrails: {cooldown: 15m, budget: "3 per 6h", lock: storage, wait_up_to: 2m, blast_radius: {max_scopes: 1}, failover_lock: 1h}
deadline: 15m
escalation: default
"""


def test_a_written_playbook_is_read_whole() -> None:
    made = Playbook.model_validate(YAML(typ="safe").load(StringIO(EXAMPLE)))
    (only,) = made.ladder
    assert made.guardrails.failover_lock == 3600.0
    assert made.guardrails.budget == Budget(3, 21600.0)
    assert only.return_ is not None
    assert (only.return_.after, only.return_.autonomy) == (3600.0, Autonomy.PROPOSE)
    assert [place for place, _ in made.actions()] == ["ladder.0.do", "ladder.0.undo", "ladder.0.return.do"]
    assert {validate_action(do)[0] for _, do in made.actions()} == {"http"}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        pytest.param({"ladder": [rung(do={})]}, "expected one action", id="a rung that does nothing"),
        pytest.param(
            {"ladder": [rung(do={**HTTP, "command": {}})]}, "expected one action", id="two actions at once"
        ),
        pytest.param({"ladder": [rung(), rung()]}, "two rungs", id="names that cannot be told apart"),
        pytest.param({"ladder": [rung(kind="contain")]}, "declares none", id="containment nobody can check"),
        pytest.param(
            {"ladder": [rung(on_interrupt="probe")]}, "something to ask", id="a probe that is not named"
        ),
        pytest.param({"ladder": [rung(when="{{ x }}")]}, "without braces", id="braces round a condition"),
        pytest.param({"ladder": [rung(when="facts.")]}, "not a valid expression", id="a condition cut off"),
        pytest.param(
            {"ladder": [rung(verify={"within": "1m", "hold": "2m"})]}, "no room", id="a hold too long"
        ),
        pytest.param({"ladder": [rung(effect={})]}, "either detectors or a probe", id="an effect of nothing"),
        pytest.param(
            {"ladder": [rung(effect={"detectors": ["a"], "ok": "x"})]}, "belongs to a probe", id="ok alone"
        ),
        pytest.param({"ladder": [rung(autonomy="full")]}, "auto", id="an autonomy there is not"),
        pytest.param({"ladder": [rung(retries=3)]}, "Extra inputs", id="a key there is not"),
        pytest.param({"failure_mode": "disk"}, "storage_failure", id="a failure mode there is not"),
        pytest.param({"deadline": "15"}, "length of time", id="a time without unit"),
        pytest.param({"guardrails": {"budget": "three"}}, "3 per 6h", id="a budget in words"),
        pytest.param({"diagnose": {"two words": {"probe": "x"}}}, "pattern", id="a fact that has no name"),
    ],
)
def test_what_cannot_work_is_refused_with_its_reason(written: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        playbook(**written)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("match", "scope", "fits", "why"),
    [
        ({"tier": "hot"}, scope_of({"tier": "hot"}), True, "the label agrees"),
        ({"tier": "hot"}, scope_of({"tier": "warm"}), False, "it does not"),
        ({"tier": "hot"}, WHOLE, False, "a scope without the label is not covered"),
        ({"tier": ["hot", "warm"]}, scope_of({"tier": "warm"}), True, "one of several values"),
        ({}, WHOLE, True, "nothing asked for fits everything"),
        ({}, scope_of({"tier": "cold"}), True, "nothing asked for fits everything"),
    ],
)
def test_a_playbook_matches_by_labels(match: dict[str, Any], scope: Any, fits: bool, why: str) -> None:
    assert playbook(match=match).matches("storage_failure", scope) is fits, why


def test_a_playbook_matches_its_own_failure_mode_and_only_while_enabled() -> None:
    assert not playbook().matches("provider_outage", WHOLE)
    assert not playbook(enabled=False).matches("storage_failure", WHOLE)


def test_more_labels_are_more_specific() -> None:
    assert (
        playbook(match={"tier": "hot", "provider": "x"}).specificity
        > playbook(match={"tier": "hot"}).specificity
    )


def test_an_action_is_its_kind_and_its_arguments() -> None:
    assert action_of(HTTP) == ("http", HTTP["http"])


def test_storm_and_limits_have_the_documented_defaults() -> None:
    assert (Storm().modes, Storm().share, Storm().leave_after) == (3, 0.34, 300.0)
    assert Limits.model_validate({"response": "64MB"}) == Limits()
    assert (Limits().in_flight, Limits().in_flight_per_target) == (2, 1)


def test_the_example_of_the_repository_is_accepted() -> None:
    example = Path(__file__).parents[3] / "config" / "examples" / "example.yaml"
    playbooks = YAML(typ="safe").load(example)["playbooks"]
    assert playbooks
    for written in playbooks.values():
        for _, do in Playbook.model_validate(written).actions():
            validate_action(do)
