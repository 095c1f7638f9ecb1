"""Rungs that tell people or wait, in a whole story: they mend nothing, and nothing is put down to them."""

from __future__ import annotations

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import DebtState, PageEvent
from remediations.run import RunState
from tests.fakes.ports import answer
from tests.fakes.statuspage import URL, FakeStatuspage
from tests.fakes.story import HOUR, MINUTE, SECRETS, Story

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


HOOK = "http://crm:8080/told"
TELL = (
    f"      - {{name: tell, do: {{notify: {{webhook: {{url: '{HOOK}', json: {{a: 1}}}}}}}}, autonomy: auto}}"
)
PAGE = """
      - name: tell
        do: &told {notify: {statuspage: {page: p1, token: {env: HOOK}, name: Late, text: "We look into it."}}}
        return:
          after: 0s
          do: {notify: {statuspage: {page: p1, token: {env: HOOK}, name: Late, text: "All is well.", status: resolved}}}
          autonomy: auto
        autonomy: auto
"""


@pytest.mark.parametrize("status", [202, 500], ids=["it is told", "it cannot be told"])
def test_whether_people_could_be_told_or_not_the_ladder_goes_on(status: int) -> None:
    story = broken(TELL, FAIL_OVER)
    story.world.http.on("POST", HOOK, answer(status))
    story.ended(HOUR)
    incident = outage(story)
    assert story.tried(incident) == ["tell", "fail-over"]
    assert len(story.world.http.sent("POST", HOOK)) == 1
    assert (incident.resolved_by, incident.recovered_by) == ("fail-over", "fail-over")
    tell, fail_over = story.attempts(incident)
    assert (tell.outcome, tell.verdict, tell.locks) == ("done" if status == 202 else "failed", None, ())
    assert fail_over.locks == ("ingestion",)
    assert story.paged(incident) == [], "nobody is woken by it"
    heads_up = [row for row in story.deliveries(incident) if row.event is PageEvent.HEADS_UP]
    assert all(row.created_at >= fail_over.intended_at for row in heads_up)


def test_an_incident_is_told_once_by_one_rung_however_often_its_ladder_is_climbed() -> None:
    story = broken(TELL)
    story.world.http.on("POST", HOOK, answer(202))
    story.until(HOUR, lambda: bool(story.incidents()) and outage(story).stepped_back)
    story.order("resume", outage(story))
    story.until(HOUR, lambda: bool(story.said(outage(story), Kind.SKIPPED)))
    assert len(story.world.http.sent("POST", HOOK)) == 1
    assert "told" in {event.data["gate"] for event in story.events(outage(story), Kind.SKIPPED)}


def test_what_the_status_page_was_told_is_taken_back_once_all_is_well() -> None:
    story = broken(PAGE, FAIL_OVER)
    page = FakeStatuspage(SECRETS["HOOK"])
    for method in ("GET", "POST", "PATCH"):
        story.world.http.on(method, URL, page)
    story.ended(HOUR)
    story.until(HOUR, lambda: all(debt.state is DebtState.PAID for debt in story.debts(outage(story))))
    assert [update[1:] for update in page.updates] == [
        ("investigating", "We look into it."),
        ("resolved", "All is well."),
    ]
    assert list(page.incidents) == ["inc1"]
    with story.driver.store.read() as uow:
        assert uow.locks.listed(story.now) == (), "telling people switches nothing over"
