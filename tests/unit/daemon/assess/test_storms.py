"""The hysteresis of storms: bounds of the design (3 of 6 modes or 34 % of a population, left after 5 min stable)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.scope import WHOLE, Scope, scope_of
from daemon.assess.storms import Gathered, Turn, entered, gathered, grown, moved, turn
from daemon.incidents.model import Incident, IncidentState, incident_id
from daemon.incidents.records import PipelineChange
from remediations.spec import Storm

NOW = 10_000.0
RULE = Storm()
S = IncidentState
PROVIDERS = frozenset(scope_of({"provider": f"p{number}"}) for number in range(10))
TIERS = frozenset(scope_of({"tier": tier}) for tier in ("hot", "warm", "cold"))
POPULATIONS = {"provider_outage": PROVIDERS, "storage_failure": TIERS}


def broken(
    mode: str, state: S = S.OPEN, *, began: float = NOW - 60, advises: bool = False, **scope: str
) -> Incident:
    where: Scope = scope_of(scope) if scope else WHOLE
    return Incident(
        incident_id(mode, where, began), mode, where, "high", state, began, NOW, advises=advises
    )  # fmt: skip


def outages(count: int, state: S = S.OPEN) -> list[Incident]:
    return [broken("provider_outage", state, provider=f"p{number}") for number in range(count)]


THREE = [
    broken("provider_outage", provider="p1"),
    broken("ingestion_stopped"),
    broken("data_quality", provider="p1"),
]


@pytest.mark.parametrize(
    ("incidents", "storm", "why"),
    [
        ([], False, "nothing is broken"),
        (THREE, True, "three of six modes"),
        (THREE[:2], False, "two modes"),
        ([*THREE[:2], broken("data_quality", S.SUPPRESSED, provider="p1")], False, "a symptom has a cause"),
        ([*THREE[:2], broken("data_quality", S.RECOVERED, provider="p1")], False, "verified recovery"),
        ([*THREE[:2], broken("data_quality", S.CONTAINED, provider="p1")], True, "contained is not mended"),
        ([*THREE[:2], broken("data_quality", advises=True, provider="p1")], False, "advice is no fault"),
        ([*THREE[:2], broken("daemon", part="store")], False, "the daemon is no part of the pipeline"),
        ([*THREE[:2], broken("data_quality", provider="p1", customer="*", advises=True)], False, "parts are no component"),
        (outages(3), False, "30 % of ten providers"),
        (outages(4), True, "40 % of ten providers"),
        (outages(4, S.CONTAINED), True, "what is being repaired counts as unhealthy"),
        ([broken("storage_failure", tier="hot")], False, "33 % of three tiers"),
        ([broken("storage_failure", tier=t) for t in ("hot", "warm")], True, "67 % of three tiers"),
        ([broken("api_degradation", endpoint=e) for e in ("live", "history")], False, "endpoints share workers"),
    ],
)  # fmt: skip
def test_a_storm_is_counted_by_modes_and_by_shares(incidents: list[Incident], storm: bool, why: str) -> None:
    assert gathered(incidents, POPULATIONS).over(RULE) is storm, why


def test_the_only_one_of_a_population_is_no_storm() -> None:
    alone = [broken("provider_outage", provider="p1")]
    assert not gathered(alone, {"provider_outage": [scope_of({"provider": "p1"})]}).over(RULE)


CALM, OVER = Gathered(), gathered(THREE, {})
OPEN = entered(OVER, (), NOW)
SETTLING = moved(OPEN, Turn.SETTLE, NOW)


@pytest.mark.parametrize(
    ("storm", "found", "at", "then", "why"),
    [
        (None, CALM, NOW, Turn.STAY, "calm stays calm"),
        (None, OVER, NOW, Turn.ENTER, "entered at once: one page within one cycle"),
        (OPEN, OVER, NOW + 9_000, Turn.STAY, "it stands for as long as it is above"),
        (OPEN, CALM, NOW, Turn.SETTLE, "below: the timer starts, nothing is left yet"),
        (SETTLING, CALM, NOW + 299, Turn.STAY, "not yet five minutes"),
        (SETTLING, CALM, NOW + 300, Turn.LEAVE, "five minutes stable"),
        (SETTLING, OVER, NOW + 299, Turn.RISE, "above again: the timer is gone"),
        (SETTLING, OVER, NOW + 300, Turn.RISE, "above at the very end is above"),
    ],
)
def test_a_storm_has_hysteresis(
    storm: Incident | None, found: Gathered, at: float, then: Turn, why: str
) -> None:
    assert turn(storm, found, RULE, at) is then, why


def test_the_time_below_starts_anew_after_it_rose() -> None:
    risen = moved(SETTLING, Turn.RISE, NOW + 200)
    again = moved(risen, Turn.SETTLE, NOW + 260)
    assert turn(again, CALM, RULE, NOW + 559) is Turn.STAY
    assert turn(again, CALM, RULE, NOW + 560) is Turn.LEAVE
    left = moved(again, Turn.LEAVE, NOW + 560)
    assert (left.state, left.resolved_at) == (S.RESOLVED, NOW + 560)


def test_its_page_names_the_modes_the_head_of_the_pipeline_and_the_change_before() -> None:
    change = PipelineChange(at=NOW - 360, what="deploy gateway 4.2", who="ci", ref="", scope=WHOLE)
    text = entered(OVER, (change,), NOW).impact.text
    assert "3 incidents at once in 3 of 6 failure modes" in text
    assert "provider outage at provider p1" in text
    assert "Changed 6 min ago: deploy gateway 4.2 by ci." in text


def test_it_keeps_the_most_it_has_held_and_the_worst_severity() -> None:
    worse = gathered([*THREE, replace(broken("storage_failure", tier="hot"), severity="critical")], {})
    bigger = grown(OPEN, worse, (), NOW)
    assert (bigger.impact.scopes, bigger.severity) == (4, "critical")
    assert grown(bigger, OVER, (), NOW) == bigger
