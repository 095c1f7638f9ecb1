from __future__ import annotations

import pytest
from pydantic import ValidationError

from remediations.actions.wait import WaitAction, WaitArgs, waits
from remediations.outcome import OutcomeState
from tests.fakes.ports import FakePermit, FakePorts


def test_it_ends_at_once_and_nobody_sleeps() -> None:
    world, action = FakePorts(), WaitAction()
    began = world.clock.now()
    rendered = action.render(WaitArgs.model_validate({"for": "2m"}), {})
    outcome = action.perform(
        rendered, world.ports, deadline=world.clock.monotonic() + 9, permit=FakePermit(), key="k"
    )
    assert (outcome.state, outcome.ended_at) == (OutcomeState.DONE, began)
    assert outcome.effect == "the next rung comes in 2m"


@pytest.mark.parametrize(
    ("kind", "rendered", "seconds"), [("wait", {"for": 120.0}, 120.0), ("http", {"for": 120.0}, 0.0)]
)
def test_only_this_kind_waits(kind: str, rendered: dict[str, float], seconds: float) -> None:
    assert waits(kind, rendered) == seconds


@pytest.mark.parametrize(
    ("written", "sound", "why"),
    [
        ({"for": "1h"}, True, "exactly the longest"),
        ({"for": "3601s"}, False, "a second more"),
        ({"for": "0s"}, False, "no wait at all"),
        ({}, False, "how long has to be said"),
        ({"for": "2m", "until": "x"}, False, "a key there is not"),
    ],
)
def test_a_wait_is_bounded(written: dict[str, str], sound: bool, why: str) -> None:
    if sound:
        WaitArgs.model_validate(written)
        return
    with pytest.raises(ValidationError) as caught:
        WaitArgs.model_validate(written)
    assert caught.value.errors()[0]["loc"][0] in {"for", "until"}, why
