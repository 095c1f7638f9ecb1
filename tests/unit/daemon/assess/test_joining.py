"""Many faults that are one: what is joined into a wider incident, what stays on its own, and until when."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from config.scope import WHOLE, Scope, scope_of
from daemon.assess.grouping import Key, wanted
from daemon.assess.topology import Topology
from detectors.board import Board, Finding, FindingState

NAVIXY, TELTONIKA, OEM = (scope_of({"provider": name}) for name in ("navixy", "teltonika", "oem-a"))
ALL = (NAVIXY, TELTONIKA, OEM)
FIELDS = tuple(scope_of({"provider": "navixy", "field": name}) for name in ("speed", "fuel", "odometer"))
TOPOLOGY = Topology.model_validate(
    {"roll_up": {"data_quality": {"by": "provider", "from": 3}}, "shared_cause": "50%"}
)
STOPPED, OUTAGE, QUALITY = "ingestion_stopped", "provider_outage", "data_quality"


def scopes(mode: str, firing: Collection[Scope], open_: Collection[Key] = ()) -> dict[Scope, set[Scope]]:
    """Scope of every incident that there should be -> scopes of its findings."""
    findings = {
        ("d", scope): Finding(
            "d", mode, scope, FindingState.FIRING, since=0.0, value=0.0, threshold="= 0", severity="high",
            observed_at=9.0, source="edge",
        )
        for scope in firing
    }  # fmt: skip
    board = Board(10.0, True, findings, populations={mode: frozenset(ALL)}, sources_down={})
    found = wanted(board, (), open_, TOPOLOGY)
    return {scope: {finding.scope for finding in want.findings} for (_, scope), want in found.items()}


def test_all_consumers_gone_is_one_incident_of_the_whole_pipeline() -> None:
    assert scopes(STOPPED, ALL) == {WHOLE: set(ALL)}
    assert scopes(STOPPED, ALL[:2]) == {NAVIXY: {NAVIXY}, TELTONIKA: {TELTONIKA}}


def test_it_stays_one_until_the_last_consumer_is_back() -> None:
    assert scopes(STOPPED, [OEM], {(STOPPED, WHOLE)}) == {WHOLE: {OEM}}, "no second restart beside the first"
    assert scopes(STOPPED, [], {(STOPPED, WHOLE)}) == {}


def test_a_consumer_that_was_reported_before_keeps_its_incident_beside_the_whole() -> None:
    assert scopes(STOPPED, ALL, {(STOPPED, NAVIXY)}) == {WHOLE: set(ALL), NAVIXY: {NAVIXY}}
    still = scopes(STOPPED, ALL, {(STOPPED, NAVIXY), (STOPPED, WHOLE)})
    assert still == {WHOLE: set(ALL), NAVIXY: {NAVIXY}}, "joining is no recovery of a part"


@pytest.mark.parametrize("left", [ALL[:2], ALL[:1]], ids=["two", "one"])
def test_a_shared_cause_keeps_its_parts_until_it_ends(left: tuple[Scope, ...]) -> None:
    assert scopes(OUTAGE, left, {(OUTAGE, WHOLE)}) == {WHOLE: set(left)}


def test_a_field_that_was_reported_before_keeps_its_incident_beside_the_roll_up() -> None:
    assert scopes(QUALITY, FIELDS) == {NAVIXY: set(FIELDS)}
    assert scopes(QUALITY, FIELDS, {(QUALITY, FIELDS[0])}) == {NAVIXY: set(FIELDS), FIELDS[0]: {FIELDS[0]}}
