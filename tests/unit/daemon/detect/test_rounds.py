"""Rounds of a probe: one tick for all its scopes, also when slow answers make rounds overlap."""

from __future__ import annotations

from typing import Any

from config.probes import ProbeSpec
from config.scope import scope_of
from daemon.detect.fetching import Fetch
from daemon.detect.plan import Sections
from daemon.detect.stage import Detection
from detectors.board import Board, FindingState
from detectors.spec import DetectorSpec, Inventory, PrometheusSource
from remediations.run import Evidence

A, B = scope_of({"provider": "a"}), scope_of({"provider": "b"})
RULE: dict[str, Any] = {
    "failure_mode": "ingestion_stopped",
    "signal": {"probe": "health"},
    "fire": {"equals": 0, "for": "3s"},
    "clear": {"equals": 1, "for": "1s"},
}


def detection() -> Detection:
    return Detection(
        Sections(
            telemetry={"main": PrometheusSource(type="prometheus", url="http://p", scrape_interval="1s")},
            detectors={"down": DetectorSpec.model_validate(RULE)},
            inventory=Inventory.model_validate({"provider": ["a", "b"]}),
            probes={
                "health": ProbeSpec.model_validate(
                    {"http": {"url": "http://{{ scope.provider }}/", "timeout": "5s"}}
                )
            },
            poll_interval=1.0,
        ),
        0,
    )


def ask(stage: Detection, now: float) -> dict[str, str]:
    """Probes that are asked now: provider -> key."""
    fetches: list[Fetch] = [job.args["fetch"] for job in stage.due(now)]
    return {dict(fetch.scope)["provider"]: fetch.key for fetch in fetches if fetch.asked == "probe"}


def answer(stage: Detection, key: str, now: float) -> Board | None:
    stage.answered(key, Evidence(now, ok=False, error="no answer: not within its time"), now)
    return stage.evaluate(now)


def test_overlapping_rounds_are_judged_all_the_same() -> None:
    """Each scope's question is under way whenever the other's answer comes: there is never a moment without one."""
    stage = detection()
    under_way = ask(stage, 0.0)
    board: Board | None = None
    for step in range(1, 12):
        now, one = step * 1.0, "ab"[step % 2]
        if key := under_way.pop(one, None):
            board = answer(stage, key, now)
        under_way |= ask(stage, now)
        assert under_way
    assert board is not None
    assert {f.scope: f.state for f in board.findings.values() if f.detector == "down"} == {
        A: FindingState.FIRING,
        B: FindingState.FIRING,
    }
