"""Every call of an action names its decision: the same name when it is repeated for it, another for each new one."""

from __future__ import annotations

import pytest

from remediations.run import RunState
from tests.fakes.story import HOUR, Story

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

LADDER = """
playbooks:
  provider-outage:
    ladder:
      - name: fail-over
        do: {http: {url: "http://ingestion-{{ scope.provider }}:8080/admin/endpoint", json: {use: secondary}}}
        effect: {detectors: [provider-errors]}
        verify: {within: 6m, hold: 2m}
        on_interrupt: rerun
        autonomy: auto
"""
ENDPOINT = "http://ingestion-navixy:8080/admin/endpoint"


def keys(story: Story) -> list[str]:
    return [request.headers["Idempotency-Key"] for request in story.world.http.sent("POST", ENDPOINT)]


def test_a_repetition_keeps_its_key_and_a_new_decision_has_another() -> None:
    story = Story(LADDER, only=("provider-errors",))
    story.world.ambiguous = True
    story.world.liar = True
    story.world.change(story.world.consumers["navixy"], primary="no-answer")
    story.until(HOUR, lambda: bool(story.incidents()) and story.incidents()[0].stepped_back)
    incident = story.incident("provider_outage")
    assert len(keys(story)) == 3, "the call, and two repetitions after lost answers"
    assert set(keys(story)) == {f"{incident.id}/1/fail-over/do/1"}
    story.world.ambiguous = story.world.liar = False
    story.order("resume", incident)
    story.until(HOUR, lambda: story.run_of(incident).state is RunState.DONE)
    assert keys(story)[3:] == [f"{incident.id}/2/fail-over/do/1"]
