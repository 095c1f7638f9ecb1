"""Which causes are still undecided, and until when a symptom waits for them."""

from __future__ import annotations

import pytest

from daemon.assess.causes import DECIDES_WITHIN, undecided_causes
from detectors.board import FindingState
from tests.unit.daemon.assess.test_reconcile import (
    HOT,
    LIVE,
    NAVIXY,
    NOW,
    TELTONIKA,
    TOPOLOGY,
    WARM,
    board,
    finding,
    incident,
)

HOLDS = {"d-storage_failure": 300.0, "d-provider_outage": 600.0, "d-api_degradation": 300.0}
SLOW = incident("api_degradation", LIVE, detected_at=NOW - 20)


@pytest.mark.parametrize(
    ("state", "until", "why"),
    [
        (
            FindingState.PENDING,
            NOW - 100 + 300 + DECIDES_WITHIN,
            "its own hold, from its first breach, and the poll that decides",
        ),
        (
            FindingState.NO_DATA,
            NOW - 20 + 300,
            "as long, from the symptom's detection: nothing is known of it",
        ),
        (FindingState.FIRING, None, "decided: it holds the symptom back instead"),
        (FindingState.CLEARING, None, "decided"),
    ],
)
def test_a_declared_cause_is_waited_for_as_long_as_its_own_hold(
    state: FindingState, until: float | None, why: str
) -> None:
    seen = board(finding(state=state, since=NOW - 100))
    causes = undecided_causes(SLOW, seen, TOPOLOGY, HOLDS)
    assert [cause.settles_at for cause in causes] == ([] if until is None else [until]), why


def test_what_explains_nothing_is_not_waited_for() -> None:
    seen = board(finding(scope=WARM, state=FindingState.PENDING))
    assert undecided_causes(SLOW, seen, TOPOLOGY, HOLDS) == ()


def test_a_provider_waits_while_others_are_about_to_fire() -> None:
    seen = board(
        finding("provider_outage", NAVIXY),
        finding("provider_outage", TELTONIKA, FindingState.PENDING, since=NOW - 500),
    )
    first = incident("provider_outage", NAVIXY)
    (cause,) = undecided_causes(first, seen, TOPOLOGY, HOLDS)
    assert cause.settles_at == NOW - 500 + 600 + DECIDES_WITHIN


def test_an_incident_does_not_wait_for_itself() -> None:
    seen = board(finding("storage_failure", HOT, FindingState.PENDING))
    assert undecided_causes(incident(), seen, TOPOLOGY, HOLDS) == ()
