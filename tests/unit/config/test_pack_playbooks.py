"""The pack's playbooks: what they refer to, which rungs fit a diagnosis, what acts and what only proposes."""

from __future__ import annotations

from typing import Any

import pytest

from config.section import Autonomy, FailureMode
from config.templates import Expression, Template
from remediations.actions.registry import validate_action
from remediations.spec import Rung, RungKind
from tests.unit.config.fleet import Sections


def rung(pack: Sections, playbook: str, name: str) -> Rung:
    return next(rung for rung in pack.playbooks[playbook].ladder if rung.name == name)


PROPOSED = {
    ("provider-outage", "rotate-credentials"): "credential rotation",
    ("provider-outage", "tell-stakeholders"): "the public status page",
    ("ingestion-stopped", "scale-up"): "it may cost money",
    ("storage-hot", "archive-old-data"): "archiving",
    ("storage-warm", "archive-old-data"): "archiving",
    ("storage-hot", "restart-database"): "restart of a database server",
    ("api-degradation", "limit-heaviest-client"): "customer rate limits",
}


def test_it_proposes_what_the_design_does_not_let_it_do_alone(pack: Sections) -> None:
    found = {
        (name, rung.name)
        for name, book in pack.playbooks.items()
        for rung in book.ladder
        if rung.autonomy is Autonomy.PROPOSE
    }
    assert found == set(PROPOSED)
    assert not [
        rung.name
        for book in pack.playbooks.values()
        for rung in book.ladder
        if rung.autonomy is Autonomy.OBSERVE
    ]


def test_failing_back_and_lifting_a_quarantine_are_proposed(pack: Sections) -> None:
    returns = {
        (name, rung.name): rung.return_.autonomy
        for name, book in pack.playbooks.items()
        for rung in book.ladder
        if rung.return_
    }
    assert {key for key, autonomy in returns.items() if autonomy is Autonomy.AUTO} == {
        ("provider-outage", "open-breaker"),
        ("provider-outage", "cut-request-rate"),
        ("provider-outage", "rotate-credentials"),
        ("storage-warm", "spool-writes"),
    }
    assert returns["storage-hot", "fail-over-to-replica"] is Autonomy.PROPOSE


def test_every_mode_has_a_playbook_and_cold_storage_pages_at_once(pack: Sections) -> None:
    assert {book.failure_mode for book in pack.playbooks.values()} == set(FailureMode)
    assert pack.playbooks["storage-cold"].ladder == ()


def test_what_contains_can_be_given_back(pack: Sections) -> None:
    for name, book in pack.playbooks.items():
        for contain in (rung for rung in book.ladder if rung.kind is RungKind.CONTAIN):
            assert contain.confirm is not None, (name, contain.name)
            assert contain.return_ is not None, (name, contain.name)


def test_a_way_back_is_proved_before_it_counts_as_paid(pack: Sections) -> None:
    unproved = {
        rung.name
        for book in pack.playbooks.values()
        for rung in book.ladder
        if rung.return_ is not None and rung.return_.confirm is None and "http" in rung.return_.do
    }
    assert unproved == {"rotate-credentials", "roll-back-mapping", "roll-back-rules"}, (
        "they fetch or count once more"
    )


def test_a_gap_is_recovered_after_the_way_back_and_what_was_set_aside_goes_through_again(
    pack: Sections,
) -> None:
    chains = {
        rung.name: [dict(step.do)["http"]["url"].rpartition("/")[2] for step in rung.return_.steps]
        for book in pack.playbooks.values()
        for rung in book.ladder
        if rung.return_ is not None and rung.return_.then
    }
    assert chains == {
        "open-breaker": ["breaker", "recover-gap"],
        "fail-over-to-secondary": ["endpoint", "recover-gap"],
        "quarantine-provider": ["quarantine", "reprocess"],
        "quarantine-field": ["quarantine", "reprocess"],
    }


def test_every_action_is_one_that_exists_with_arguments_it_takes(pack: Sections) -> None:
    actions = [(name, place, do) for name, book in pack.playbooks.items() for place, do in book.actions()]
    assert len(actions) > 40
    for name, place, do in actions:
        kind, _ = validate_action(do)
        assert kind in {"http", "service", "file_link", "notify"}, (name, place)


def test_every_name_refers_to_something(pack: Sections) -> None:
    probes = set(pack.probes)
    for book in pack.playbooks.values():
        assert {ref.probe for ref in book.diagnose.values()} <= probes
        assert {rung.confirm.probe for rung in book.ladder if rung.confirm} <= probes
        assert book.escalation in pack.escalation
    for detector in pack.detectors.values():
        assert detector.signal.probe is None or detector.signal.probe in probes
        for witness in detector.corroborate.witnesses if detector.corroborate else ():
            assert witness.probe is None or witness.probe in probes
            assert witness.detector is None or witness.detector in pack.detectors


def test_conditions_ask_only_for_facts_that_are_gathered(pack: Sections) -> None:
    for name, book in pack.playbooks.items():
        for step in book.ladder:
            later = [part.when for part in step.return_.steps] if step.return_ else []
            for text in filter(None, (step.when, step.require, *later)):
                assert Expression(text).names <= {"facts", "scope", "vars", "fault_since"}, (name, step.name)
                for fact in (
                    part.split(".")[1] for part in text.split() if part.lstrip("(").startswith("facts.")
                ):
                    assert fact in book.diagnose, (name, step.name)


# (playbook, what the consumer's, writer's, transformation's or API's health says) -> the rungs that fit, in order
HEALTHY_HOT = {
    "reason": "ok",
    "active": "primary",
    "primary": "healthy",
    "replica_lag_s": 1,
    "pool": {"size": 6},
    "spooling": False,
}
CONSUMER = {
    "dominant_error": "none",
    "breaker": "closed",
    "has_secondary": True,
    "endpoint": "primary",
    "credentials": "valid",
}
TRANSFORMATION = {"stuck": False, "quarantined": []}
API = {"slow_backend": "none", "workers": 2, "cache": "on", "rate_limits": {}}


@pytest.mark.parametrize(
    ("playbook", "body", "scope", "fitting", "reason"),
    [
        ("provider-outage", CONSUMER | {"dominant_error": "rate_limited"}, {}, ["cut-request-rate"], "rate-limited"),
        ("provider-outage", CONSUMER | {"dominant_error": "timeout"}, {}, ["open-breaker", "fail-over-to-secondary"], "no-answer"),
        ("provider-outage", CONSUMER | {"dominant_error": "auth", "credentials": "expired"}, {}, ["rotate-credentials"], "auth"),
        ("provider-outage", CONSUMER | {"dominant_error": "timeout", "has_secondary": False}, {}, ["open-breaker"], "nowhere to go"),
        ("provider-outage", None, {}, [], "a consumer that does not answer: nothing is known, nothing is done"),
        ("ingestion-stopped", CONSUMER, {}, ["restart-consumers"], "hung; when its configuration changed is not known"),
        ("ingestion-stopped", None, {}, ["restart-consumers"], "killed"),
        ("transformation-failure", TRANSFORMATION, {}, ["roll-back-mapping", "quarantine-provider"], "bad-mapping, payload-changed"),
        ("transformation-failure", TRANSFORMATION | {"stuck": True}, {}, ["roll-back-mapping", "restart-transformation", "quarantine-provider"], "stuck-transformer"),
        ("transformation-failure", None, {}, ["restart-transformation"], "its process is gone"),
        ("storage-hot", None, {}, ["restart-writer"], "its writer is gone"),
        ("storage-hot", HEALTHY_HOT | {"reason": "pool_exhausted"}, {}, ["enlarge-pool", "read-only-with-spool"], "pool-exhausted"),
        ("storage-hot", HEALTHY_HOT | {"reason": "primary_refuses", "primary": "refusing"}, {}, ["fail-over-to-replica", "read-only-with-spool"], "primary-refuses-writes"),
        ("storage-hot", HEALTHY_HOT | {"reason": "primary_refuses", "replica_lag_s": 90}, {}, ["read-only-with-spool"], "a replica that lags loses writes"),
        ("storage-hot", HEALTHY_HOT | {"reason": "writer_hung"}, {}, ["restart-writer", "fail-over-to-replica", "read-only-with-spool"], "writer hung"),
        ("storage-hot", HEALTHY_HOT | {"primary": "down", "active": "replica"}, {}, ["restart-database", "read-only-with-spool"], "database down"),
        ("storage-warm", HEALTHY_HOT | {"reason": "disk_full"}, {}, ["archive-old-data", "spool-writes"], "warm-disk-full"),
        ("api-degradation", API, {}, ["scale-out", "limit-heaviest-client"], "overload"),
        ("api-degradation", API | {"cache": "off"}, {}, ["scale-out", "enable-cache", "limit-heaviest-client"], "cold-cache"),
        ("api-degradation", API | {"slow_backend": "storage", "cache": "off"}, {}, [], "slow-storage: nothing of ours helps"),
        ("api-degradation", API | {"slow_backend": "code"}, {}, ["scale-out"], "slow-code"),
        ("api-degradation", API | {"workers": 4}, {}, ["limit-heaviest-client"], "as many workers as there can be"),
        ("data-quality", TRANSFORMATION, {"field": "speed"}, ["roll-back-mapping", "roll-back-rules", "quarantine-field"], "one field"),
        ("data-quality", TRANSFORMATION, {}, ["roll-back-mapping", "roll-back-rules", "quarantine-provider"], "rolled up"),
    ],
)  # fmt: skip
def test_the_diagnosis_decides_which_rungs_fit(
    pack: Sections,
    playbook: str,
    body: dict[str, Any] | None,
    scope: dict[str, str],
    fitting: list[str],
    reason: str,
) -> None:
    book = pack.playbooks[playbook]
    fact: dict[str, Any] = (
        {"ok": False, "error": "refused"} if body is None else {"ok": True, "status": 200, "body": body}
    )
    names = {
        "facts": dict.fromkeys(book.diagnose, fact),
        "scope": {"provider": "navixy"} | scope,
        "vars": pack.vars,
    }

    def holds(text: str | None) -> bool:
        try:
            return text is None or bool(Expression(text).evaluate(names))
        except Exception:  # noqa: BLE001  # unknown counts as no
            return False

    assert [step.name for step in book.ladder if holds(step.when) and holds(step.require)] == fitting, reason


@pytest.mark.parametrize(
    ("changed_ago", "consumer_ok", "fitting", "reason"),
    [
        (30.0, True, ["roll-back-config"], "changed just before the failure"),
        (7_200.0, True, ["roll-back-config"], "two hours before is still before"),
        (7_201.0, True, [], "too long ago to be its cause"),
        (-40.0, True, ["roll-back-config"], "samples date a failure only roughly"),
        (-40.0, False, ["roll-back-config", "restart-on-previous-config"], "and a consumer that ended needs a start"),
        (-61.0, True, [], "changed after the failure began, by us or somebody"),
        (-61.0, False, ["restart-on-previous-config"], "rolled back meanwhile, and it has ended"),
        (86_400.0, False, [], "nothing changed: no second restart"),
    ],
)  # fmt: skip
def test_ingestion_is_rolled_back_only_if_a_change_preceded_the_failure(
    pack: Sections, changed_ago: float, consumer_ok: bool, fitting: list[str], reason: str
) -> None:
    since = 1_000_000.0
    body = {"version": "v002", "changed_at": since - changed_ago}
    facts = {"config": {"ok": True, "body": body}, "consumer": {"ok": consumer_ok, "body": CONSUMER}}
    names = {"facts": facts, "vars": pack.vars, "fault_since": since}
    ladder = {step.name: step.when for step in pack.playbooks["ingestion-stopped"].ladder}
    rungs = ("roll-back-config", "restart-on-previous-config")
    held = [rung for rung in rungs if Expression(str(ladder[rung])).evaluate(names)]
    assert held == fitting, reason


def test_all_consumers_can_be_restarted_at_once_and_a_tier_only_after_another(pack: Sections) -> None:
    assert pack.playbooks["ingestion-stopped"].guardrails.lock is None
    assert pack.playbooks["ingestion-stopped"].guardrails.blast_radius.max_scopes == 10
    assert {pack.playbooks[f"storage-{tier}"].guardrails.lock for tier in ("hot", "warm")} == {"storage"}


@pytest.mark.parametrize(
    ("scope", "unit", "reason"),
    [
        ({"provider": "navixy"}, "ingestion-navixy", "one of several"),
        ({}, "ingestion-*", "the whole pipeline stands still: all of them"),
    ],
)
def test_the_restart_names_what_is_affected_and_no_more(
    pack: Sections, scope: dict[str, str], unit: str, reason: str
) -> None:
    restart = rung(pack, "ingestion-stopped", "restart-consumers").do["service"]["restart"]
    assert Template(restart).render({"scope": scope, "vars": pack.vars}) == unit, reason
