"""Rungs that tell people or wait, in a whole story: they mend nothing, and nothing is put down to them."""

from __future__ import annotations

import pytest

from daemon.incidents.model import Incident
from remediations.run import RunState
from tests.fakes.story import HOUR, MINUTE, Story

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

WATCHED = ("provider-errors",)
FAIL_OVER = """
      - name: fail-over
        do: {http: {url: "http://ingestion-{{ scope.provider }}:8080/admin/endpoint", json: {use: secondary}}}
        effect: {detectors: [provider-errors]}
        verify: {within: 6m, hold: 2m}
        autonomy: auto
"""
SETTLE = "      - {name: settle, do: {wait: {for: 2m}}, autonomy: auto}"


def outage(story: Story) -> Incident:
    return story.incident("provider_outage")


def broken(*rungs: str, watched: tuple[str, ...] = WATCHED) -> Story:
    """The primary does not answer any more, and this is the ladder."""
    ladder = "\n".join(rungs)
    story = Story(f"playbooks:\n  provider-outage:\n    ladder:\n{ladder}\n", only=watched)
    story.world.change(story.world.consumers["navixy"], primary="no-answer")
    return story


def waiting(story: Story) -> bool:
    return bool(story.incidents()) and story.run_of(outage(story)).state is RunState.WAITING


def test_the_next_rung_comes_after_the_wait_and_a_restart_neither_shortens_nor_repeats_it() -> None:
    story = broken(SETTLE, FAIL_OVER)
    story.until(HOUR, lambda: waiting(story))
    due = story.run_of(outage(story)).due_at
    story.driver.crash(down_for=30.0)
    assert story.run_of(outage(story)).due_at == due
    story.ended(HOUR)
    settle, fail_over = story.attempts(outage(story))
    assert (settle.rung, settle.outcome, settle.verdict, settle.disruptive) == (
        "settle",
        "done",
        None,
        False,
    )
    assert due is not None
    assert due == (settle.ended_at or 0.0) + 2 * MINUTE
    assert due <= fail_over.intended_at <= due + MINUTE, "probes and fault are looked at anew first"
    assert outage(story).resolved_by == "fail-over"
    assert story.paged(outage(story)) == []


def test_a_fault_that_goes_away_meanwhile_mended_itself() -> None:
    story = broken(SETTLE, FAIL_OVER)
    story.until(HOUR, lambda: waiting(story))
    story.world.change(story.world.consumers["navixy"], primary="ok")
    story.ended(HOUR)
    assert outage(story).resolved_by == "self"
    assert story.tried(outage(story)) == ["settle"]
    assert story.run_of(outage(story)).state is RunState.DONE
