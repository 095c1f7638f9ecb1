"""What looks like trouble and is none: nothing is done, nobody is told."""

from __future__ import annotations

import os

import pytest

from tests.acceptance.live.stages import staged
from tests.conftest import SOAK

pytestmark = [pytest.mark.live, pytest.mark.slow]

SECONDS = 600.0 if os.environ.get(SOAK) else 180.0


@pytest.mark.timeout(3 * SECONDS)
def test_a_quiet_time_ends_without_action_and_without_page() -> None:
    with staged(source="prometheus") as stage:
        rows = [stage.must_be_right(judged) for judged in stage.playing.quiet(SECONDS)]
    assert {row.variant for row in rows} == {
        "rolling-restart",
        "night-rate",
        "suspend-customer",
        "new-provider",
        "bad-minute",
        "counter-reset",
        "prometheus-restart",
    }
    assert [row.actions for row in rows] == [[]] * len(rows)
    assert [row.paged for row in rows] == [[]] * len(rows)
