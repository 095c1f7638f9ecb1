"""The inventory's list says who should be there: whoever is not on it may go again, and nobody is told."""

from __future__ import annotations

from typing import Any

import pytest

from config.scope import scope_of
from daemon.detect.inventory import strangers
from daemon.detect.plan import Sections
from daemon.detect.stage import Detection
from detectors.samples import Series
from detectors.spec import DetectorSpec, Inventory, PrometheusSource
from tests.fakes.telemetry import FakeTelemetry, Story

LEFT_AT = 600.0
RULE: dict[str, Any] = {
    "failure_mode": "provider_outage",
    "signal": {"increase": {"of": "packets_total", "by": ["provider"]}},
    "fire": {"equals": 0, "for": "5m"},
    "no_data": {"for": "5m"},
}


def leaving(who: str, *listed: str, inventory: dict[str, Any] | None = None, growing: bool = True) -> Story:
    """Two providers deliver; the series of one end, having grown until then or having stood still for a while."""
    stands = LEFT_AT if growing else 150.0
    series = {
        Series("packets_total", (("provider", name),)): (
            lambda at, name=name: None if name == who and at > LEFT_AT else 2 * min(at, stands)
            if name == who else 2 * at
        )
        for name in ("navixy", "newcomer")
    }  # fmt: skip
    stage = Detection(
        Sections(
            telemetry={"main": PrometheusSource(type="prometheus", url="http://p", scrape_interval="15s")},
            detectors={"silent": DetectorSpec.model_validate(RULE)},
            inventory=Inventory.model_validate(inventory or {"provider": list(listed)}),
        ),
        0,
    )
    return Story(stage, {"main": FakeTelemetry(series)}).run(0, 1500)


@pytest.mark.parametrize(
    ("who", "inventory", "missed", "why"),
    [
        ("navixy", {"provider": ["navixy"]}, True, "who is listed is missed"),
        ("newcomer", {"provider": ["navixy"]}, False, "who is not on the list may go"),
        ("newcomer", {"provider": {"seen_within": "7d"}}, True, "where nobody is listed, whoever was seen is missed"),
        ("newcomer", {"tier": ["hot"]}, True, "the list of another label says nothing"),
    ],
)  # fmt: skip
def test_who_is_missed(who: str, inventory: dict[str, Any], missed: bool, why: str) -> None:
    told = leaving(who, inventory=inventory)
    assert bool(told.events("no_data")) is missed, why


def test_an_outage_of_a_stranger_does_not_end_by_its_series_going_away() -> None:
    told = leaving("newcomer", "navixy", growing=False)
    assert [state for state, _ in told.events("fired", "cleared")] == ["fired"]
    assert told.events("no_data"), "firing and unseen is blind, whoever it is"


def test_a_stranger_is_known_by_any_of_its_labels() -> None:
    lists = (("provider", frozenset({"navixy"})),)
    scopes = (
        scope_of({}),
        scope_of({"provider": "navixy", "field": "speed"}),
        scope_of({"provider": "newcomer", "field": "speed"}),
        scope_of({"tier": "hot"}),
    )
    assert strangers(scopes, lists).tolist() == [False, False, True, False]
