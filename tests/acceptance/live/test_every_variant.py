"""Every variant of the runbooks' table, on real processes: mended by its rung, or one page at L1, nothing forbidden.

Run with `-n 2` each worker brings up one pipeline and takes variants as it gets free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from daemon.cli.main import invoke
from daemon.desk.drills import Drill
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


WORKERS = [f"api-worker-{worker}" for worker in (2, 3, 3, 2)]
OUT_AND_IN = [
    f"{worker} {state}" for worker, state in zip(WORKERS, ("running",) * 2 + ("stopped",) * 2, strict=True)
]


@pytest.mark.parametrize(
    ("playbook", "scope", "rung", "effects"),
    [
        ("storage-hot", "tier=hot", "fail-over-to-replica", ["use replica", "use primary"]),
        ("api-degradation", "endpoint=live", "scale-out", OUT_AND_IN),
    ],
    ids=["fail-over and back", "scale out and in"],
)
def test_a_drill_for_real_does_what_it_says_and_takes_it_back(
    stage: Stage, playbook: str, scope: str, rung: str, effects: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """By the effect logs: there and back, nothing twice, and the next variant finds the pipeline as it was."""
    found = stage.playing.found
    before = len(found.pipeline.effects())
    configs = [word for file in found.configs for word in ("--config", str(file))]
    words = ["drill", playbook, "--scope", scope, "--rung", rung, "--for-real", "--yes", "--json", *configs]
    code = invoke(words)
    drill = Drill.model_validate_json(capsys.readouterr().out)
    assert (code, drill.state) == (0, "passed"), drill
    assert [word for one in found.pipeline.effects()[before:] if (word := _word(one))] == effects


def _word(effect: Mapping[str, Any]) -> str:
    """What the store's writer uses, and what the process manager saw of the API's workers come to an end."""
    if effect.get("what") == "active":
        return f"use {effect['args']['use']}"
    state = str(effect.get("event", "")).rpartition("_")[2].lower()
    mine = str(effect["program"]).startswith("api-worker") and state in {"running", "stopped"}
    return f"{effect['program']} {state}" if mine else ""
