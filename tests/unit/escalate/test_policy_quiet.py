"""What holds a page back or takes its place: silences, maintenance, blindness, a heads-up."""

from __future__ import annotations

import pytest

from daemon.escalate.schedules import Directory
from daemon.escalate.triggers import Acked, Blind, Ended, HeadsUp, PageOwed, Tick
from daemon.incidents.model import IncidentState
from daemon.incidents.records import Mute, MuteKind, PageEvent
from tests.fakes.paging import DIRECTORY, HOUR, MAIL, MINUTE, MONDAY, PD, Story, person

OWED = PageOwed("Ladder exhausted")


def silence(until: float, kind: MuteKind = MuteKind.SILENCE, **matchers: str) -> Mute:
    return Mute("m", kind, "ben", "known", MONDAY - HOUR, until, matchers)


@pytest.mark.parametrize("kind", [MuteKind.SILENCE, MuteKind.MAINTENANCE])
def test_a_silence_holds_a_page_to_its_end(kind: MuteKind) -> None:
    story = Story("critical")
    story.mutes = (silence(MONDAY + HOUR, kind),)
    story.tell(OWED)
    story.wait(59 * MINUTE)
    assert story.pages() == []
    story.wait(MINUTE)
    assert story.pages() == [(60, 1, "trigger", "ana", PD)]


def test_a_silence_that_is_lifted_early_lets_the_page_out_at_the_next_look() -> None:
    story = Story("critical")
    story.mutes = (silence(MONDAY + HOUR),)
    story.tell(OWED)
    story.mutes = ()
    story.tell(Tick())
    assert len(story.pages()) == 1


@pytest.mark.parametrize(
    ("mode", "kind", "matchers", "quiet", "why"),
    [
        ("storage_failure", MuteKind.SILENCE, {}, True, "no matcher matches all"),
        ("storage_failure", MuteKind.SILENCE, {"provider": "navixy"}, True, "its scope"),
        ("storage_failure", MuteKind.SILENCE, {"provider": "other"}, False, "another scope"),
        ("storage_failure", MuteKind.SILENCE, {"failure_mode": "storage_failure"}, True, "the pseudo label"),
        ("storage_failure", MuteKind.PAUSE, {}, False, "a pause stops actions, pages go"),
        ("blind", MuteKind.SILENCE, {}, False, "blindness is never quieted"),
        ("daemon", MuteKind.MAINTENANCE, {}, False, "nor is the daemon's own trouble"),
    ],
)
def test_what_quiets_a_page(
    mode: str, kind: MuteKind, matchers: dict[str, str], quiet: bool, why: str
) -> None:
    story = Story("critical", failure_mode=mode)
    story.mutes = (silence(MONDAY + HOUR, kind, **matchers),)
    story.tell(OWED)
    assert (story.pages() == []) is quiet, why


def test_a_silence_after_the_page_holds_the_levels_and_never_the_resolve() -> None:
    """Case 7: silenced after the trigger, recovered meanwhile: the resolve is still sent."""
    story = Story("critical")
    story.tell(OWED)
    story.deliver()
    story.mutes = (silence(MONDAY + 2 * HOUR),)
    story.wait(HOUR)
    assert len(story.pages()) == 1, "neither reminders nor levels"
    story.become(IncidentState.RESOLVED)
    story.tell(Ended("Mended"))
    assert [row.event for row in story.deliver()] == [PageEvent.RESOLVE]


def test_after_a_silence_one_level_follows_and_not_all_that_were_missed() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.deliver()
    story.mutes = (silence(MONDAY + 2 * HOUR),)
    story.wait(2 * HOUR)
    assert story.pages()[-1] == (120, 2, "escalate", "ben", PD)
    assert story.escalation.level == 2


def test_blindness_has_its_own_page_and_leaves_the_wheel() -> None:
    story = Story("critical")
    story.mutes = (silence(MONDAY + HOUR),)
    story.tell(Blind("source main is down"))
    assert story.pages() == [(0, 1, "trigger", "ana", PD)]
    assert story.escalation.paged_at is None
    story.mutes = ()
    story.tell(OWED)
    assert len(story.pages()) == 2, "that the robot stepped back is news to whoever only knew of blindness"
    assert story.escalation.paged_at == MONDAY


def test_a_page_held_by_a_silence_is_not_lost_to_a_page_about_blindness() -> None:
    story = Story("critical")
    story.mutes = (silence(MONDAY + 10 * MINUTE),)
    story.tell(OWED)
    story.tell(Blind("source main is down"))
    story.deliver()
    story.tell(Acked("ana"))
    story.wait(10 * MINUTE)
    assert [row.facts["reason"] for row in story.of(PageEvent.TRIGGER)] == [
        "Blind: source main is down",
        "Ladder exhausted",
    ]


@pytest.mark.parametrize(
    ("severity", "trigger", "told", "why"),
    [
        ("critical", HeadsUp("fail-over"), [MAIL], "by the channel that wakes nobody"),
        ("high", HeadsUp("restart"), [], "only critical ones"),
        ("high", HeadsUp("quarantine", contained=True), [MAIL], "containing is said whatever the severity"),
    ],
)
def test_a_heads_up_informs_and_never_pages(
    severity: str, trigger: HeadsUp, told: list[str], why: str
) -> None:
    story = Story(severity)
    story.tell(trigger)
    story.tell(trigger)
    assert [row.channel for row in story.of(PageEvent.HEADS_UP)] == told, why
    assert story.pages() == []
    assert story.escalation.level == 0


def test_whoever_got_a_heads_up_hears_of_the_end_without_a_resolve() -> None:
    story = Story("critical")
    story.tell(HeadsUp("fail-over"))
    story.deliver()
    story.become(IncidentState.RESOLVED)
    story.tell(Ended("Mended by fail-over"))
    assert [(row.event, row.facts["what"]) for row in story.deliver()] == [(PageEvent.STATUS, "over")]


def test_nobody_who_can_only_be_woken_gets_a_heads_up() -> None:
    only_pd = Directory({"ana": person("ana", PD)}, {}, DIRECTORY.schedules)
    story = Story("critical", directory=only_pd)
    story.tell(HeadsUp("fail-over"))
    assert story.rows == {}
    assert "No heads-up to Ana: every channel would page" in story.texts()


def test_a_fault_open_again_during_a_silence_pages_when_that_ends() -> None:
    story = Story("critical")
    story.become(IncidentState.CLOSED)
    story.tell(Ended("Closed by Ana, not verified"))
    story.mutes = (silence(MONDAY + 10 * MINUTE),)
    story.become(IncidentState.OPEN)
    story.tell(PageOwed("Still firing", again=True))
    assert story.pages() == []
    story.wait(10 * MINUTE)
    assert story.pages() == [(10, 1, "trigger", "ana", PD)]
