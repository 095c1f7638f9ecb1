"""Every variant of the runbooks' table, on real processes: mended by its rung, or one page at L1, nothing forbidden.

Run with `-n 2` each worker brings up one pipeline and takes variants as it gets free.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.expected import ITSELF, STORIES
from tests.acceptance.live.stages import Stage, staged

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


@pytest.mark.parametrize("name", list(STORIES))
def test_every_variant_ends_as_its_runbook_says(stage: Stage, name: str) -> None:
    row, story = stage.play(name), STORIES[name]
    assert row.paged == story.paged, story.why
    assert row.forbidden_actions == []
    if story.mended_by not in {None, ITSELF}:
        assert row.resolved_by == story.mended_by, story.why
