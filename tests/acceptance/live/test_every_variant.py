"""Every variant of the runbooks' table, on real processes: mended by its rung, or one page at L1, nothing forbidden.

Run with `-n 2` each worker brings up one pipeline and takes variants as it gets free.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.supervise import Manager
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


def test_a_configuration_edited_by_hand_ends_as_one_that_was_deployed(stage: Stage) -> None:
    """No version is published and no link switched: somebody edits the file in use and restarts the consumers."""
    state = stage.playing.found.pipeline.state

    def edit() -> None:
        file = state / "ingestion" / "current" / "ingestion.toml"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("batch =", "bacth ="), encoding="utf-8")
        manager = Manager(state / "supervisor.sock")
        for unit in manager.processes():
            if unit.startswith("ingestion-"):
                manager.restart(unit)

    row = stage.play("ingestion_stopped:bad-config", edit)
    assert row.resolved_by == "roll-back-config"
