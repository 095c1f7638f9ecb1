"""The escalation clock, severity by event: who is told, when, by which channel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.rules import Level, Policy, external
from daemon.escalate.schedules import Directory
from daemon.escalate.triggers import (
    Acked,
    Blind,
    DeliveryFailed,
    Ended,
    Escalated,
    Extended,
    HeadsUp,
    PageOwed,
    Recovered,
    SeverityRaised,
    Tick,
)
from daemon.incidents.escalation import EscalationState
from daemon.incidents.events import Kind
from daemon.incidents.model import IncidentState
from daemon.incidents.records import DeliveryState, Mute, MuteKind, PageEvent
from tests.fakes.paging import (
    DIRECTORY,
    HOOK,
    HOUR,
    MAIL,
    MINUTE,
    MONDAY,
    PD,
    PEOPLE,
    POLICY,
    Story,
    person,
)

OWED = PageOwed("Ladder exhausted")


@pytest.mark.parametrize(
    ("severity", "minutes", "expected", "why"),
    [
        (
            "critical",
            65,
            [
                (0, 1, "trigger", "ana", PD),
                (15, 2, "escalate", "ben", PD),
                (30, 3, "escalate", "chloe", MAIL),
                (30, 3, "escalate", "dan", PD),
                (60, 3, "escalate", "chloe", MAIL),
                (60, 3, "escalate", "dan", PD),
            ],
            "L1 at once, L2 after 15, L3 after 30, then every 30 for ever",
        ),
        (
            "high",
            9 * 60,
            [
                (0, 1, "trigger", "ana", PD),
                (30, 2, "escalate", "ben", PD),
                (240, 3, "escalate", "chloe", MAIL),
                (240, 3, "escalate", "dan", PD),
                (480, 3, "escalate", "chloe", MAIL),
                (480, 3, "escalate", "dan", PD),
            ],
            "L2 after 30 minutes, L3 after 4 hours, then every 4 hours",
        ),
        (
            "medium",
            3 * 24 * 60,
            [(0, 1, "trigger", "ana", PD), (1440, 2, "escalate", "ben", PD)],
            "L2 after a day, and nothing beyond",
        ),
        ("low", 3 * 24 * 60, [], "a digest entry and no page"),
    ],
)
def test_unresolved_it_climbs_by_its_severitys_clock(
    severity: str, minutes: float, expected: list[tuple[float, int, str, str, str]], why: str
) -> None:
    story = Story(severity)
    story.tell(OWED)
    end = MONDAY + minutes * MINUTE
    while True:
        story.deliver()
        story.tell(Acked("ana"))  # acknowledged, not resolved: no reminders, and the clock runs on
        due = story.escalation.next_at
        if due is None or due > end:
            break
        story.wait(due - story.now)
    assert story.pages() == expected, why


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("critical", [(5, MAIL), (10, PD)]),
        ("high", [(10, MAIL), (20, PD)]),
        ("medium", []),
        ("low", []),
    ],
)
def test_without_acknowledgement_the_next_channel_reminds(
    severity: str, expected: list[tuple[float, str]]
) -> None:
    story = Story(severity)
    story.tell(OWED)
    story.deliver()
    for _ in range(14 if severity == "critical" else 29):
        story.wait(MINUTE)
        story.deliver()
    reminders = [(minute, channel) for minute, _, event, _, channel in story.pages() if event == "remind"]
    assert reminders == expected


def test_levels_come_on_the_exact_second_and_not_before() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.now = MONDAY + 15 * MINUTE - 0.001
    story.tell(Tick())
    assert not story.of(PageEvent.ESCALATE)
    story.now = MONDAY + 15 * MINUTE
    story.tell(Tick())
    assert [row.person for row in story.of(PageEvent.ESCALATE)] == ["ben"]


def test_medium_waits_for_working_hours_and_low_for_the_digest() -> None:
    night = MONDAY - 6 * HOUR
    medium, low = Story("medium", now=night), Story("low", now=night)
    for story in (medium, low):
        story.tell(OWED)
    assert medium.pages() == []
    assert medium.escalation.held_until == MONDAY
    medium.wait(6 * HOUR)
    assert medium.pages() == [(360, 1, "trigger", "ana", PD)]
    entries = low.of(PageEvent.DIGEST)
    assert [(row.person, row.channel) for row in entries] == [("chloe", MAIL), ("dan", HOOK)]
    assert {row.due_at for row in entries} == {MONDAY - 30 * MINUTE}, "half past eight in Paris"
    assert low.escalation.level == 0


def test_a_held_page_survives_restarts_because_it_is_on_the_row() -> None:
    """Case 12: hold for quiet hours, restart twice, the window opens: a page within one tick."""
    story = Story("medium", now=MONDAY - 6 * HOUR)
    story.tell(OWED)
    story.sleep(2 * HOUR)
    story.sleep(2 * HOUR)
    assert story.pages() == []
    story.sleep(2 * HOUR)
    assert story.pages() == [(360, 1, "trigger", "ana", PD)]


def test_recovery_before_working_hours_pages_nobody() -> None:
    story = Story("medium", now=MONDAY - 6 * HOUR)
    story.tell(OWED)
    story.become(IncidentState.RECOVERED)
    story.tell(Recovered("roll-back"))
    story.wait(12 * HOUR)
    assert story.pages() == []
    assert "The page that was held is not needed: recovered" in story.texts()


def test_a_severity_that_rises_pages_at_once_in_the_night() -> None:
    story = Story("medium", now=MONDAY - 6 * HOUR)
    story.tell(OWED)
    story.incident = replace(story.incident, severity="critical")
    story.tell(SeverityRaised("critical"))
    assert story.pages() == [(0, 1, "trigger", "ana", PD)]
    assert story.escalation.next_level_at == story.now + 15 * MINUTE


def test_a_severity_that_rises_shortens_the_running_clock_from_the_same_page() -> None:
    story = Story("high")
    story.tell(OWED)
    story.wait(10 * MINUTE)
    story.tell(SeverityRaised("critical"))
    assert story.escalation.next_level_at == MONDAY + 15 * MINUTE
    story.tell(SeverityRaised("high"))
    assert story.escalation.severity == "critical", "it never falls"


# ------------------------------------------------------------ people


def test_an_acknowledgement_stops_reminders_on_every_path_and_not_the_clock() -> None:
    """Case 9: ack between the push and the next channel's turn: nothing more goes out at this level."""
    story = Story("critical")
    story.tell(OWED)
    story.deliver()
    story.wait(5 * MINUTE)  # the reminder is owed
    story.tell(Acked("ana", "link"))
    assert {row.event for row in story.deliver()} == {PageEvent.STATUS}, "only the services hear of it"
    assert [row.channel for row in story.of(PageEvent.STATUS)] == [PD]
    assert story.escalation.state is EscalationState.ACKED
    assert story.escalation.next_level_at == MONDAY + 15 * MINUTE
    story.wait(10 * MINUTE)
    assert [row.person for row in story.of(PageEvent.ESCALATE)] == ["ben"]


def test_the_others_who_were_paged_are_told_who_has_it() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.wait(30 * MINUTE)
    story.deliver()
    story.tell(Acked("dan"))
    notes = [
        (row.person, row.channel, row.facts["text"])
        for row in story.of(PageEvent.STATUS)
        if row.facts["what"] == "acked"
    ]
    assert ("chloe", MAIL, "Acknowledged by dan") in notes
    assert ("dan", PD, "Acknowledged by dan") in notes, "their own service stops calling"
    assert ("dan", HOOK, "Acknowledged by dan") not in notes


@pytest.mark.parametrize(
    ("ask", "answer", "why"),
    [
        (Extended("ana", "", 600), "a reason is needed", "no reason"),
        (Extended("ana", "  ", 600), "a reason is needed", "a blank reason"),
        (Extended("ana", "on it", 3601), "at most 60 minutes", "too long"),
        (Extended("ana", "on it", 0), "at most 60 minutes", "no time at all"),
        (Extended("ana", "on it", -60), "at most 60 minutes", "backwards"),
    ],
)
def test_an_extension_out_of_bounds_changes_nothing(ask: Extended, answer: str, why: str) -> None:
    story = Story("critical")
    story.tell(OWED)
    before = story.escalation
    story.tell(ask)
    assert story.escalation == before, why
    assert answer in story.answers[-1]


def test_an_extension_moves_everything_after_it_and_twice_is_enough() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.tell(Extended("ana", "copying data", HOUR))
    story.tell(Extended("ana", "still copying", HOUR))
    story.tell(Extended("ana", "still", HOUR))
    assert "extended 2 times already" in story.answers[-1]
    assert story.escalation.next_level_at == MONDAY + 15 * MINUTE + 2 * HOUR
    story.wait(3 * HOUR)
    assert [(minute, level) for minute, level, event, _, _ in story.pages() if event == "escalate"] == [
        (135, 2), (150, 3), (150, 3), (180, 3), (180, 3),
    ]  # fmt: skip


def test_nothing_can_be_extended_before_a_page_or_after_the_end() -> None:
    story = Story("critical")
    story.tell(Extended("ana", "early", 60))
    assert story.answers == ["not extended: no escalation is running"]


def test_an_order_brings_the_next_level_at_once_and_the_one_after_keeps_its_time() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.wait(2 * MINUTE)
    story.tell(Escalated("ana", "needs the database team"))
    assert story.answers == ["L2 is paged"]
    assert story.pages()[-1] == (2, 2, "escalate", "ben", PD)
    assert story.escalation.next_level_at == MONDAY + 30 * MINUTE
    story.tell(Escalated("ana"))
    assert story.escalation.level == 3
    story.tell(Escalated("ana"))
    assert story.escalation.loop == 1, "at the top the same people again"
    assert len([page for page in story.pages() if page[1] == 3]) == 4


def test_an_order_can_page_before_the_robot_would() -> None:
    story = Story("high")
    story.tell(Escalated("ana", "looks bad"))
    assert story.pages() == [(0, 1, "escalate", "ana", PD)]
    assert story.escalation.state is EscalationState.PAGING


# ------------------------------------------------------------ unreachable


def test_a_level_with_nobody_on_call_is_skipped_at_once_and_said_so() -> None:
    empty = replace(
        POLICY,
        levels=(POLICY.levels[0], replace(POLICY.levels[1], notify=("schedule:none",)), POLICY.levels[2]),
    )
    story = Story("critical", policy=empty)
    story.tell(OWED)
    story.wait(15 * MINUTE)
    assert {page[3] for page in story.pages() if page[0] == 15} == {"chloe", "dan"}
    assert [event.data["level"] for event in story.events if event.kind is Kind.LEVEL_SKIPPED] == [2]
    assert story.escalation.level == 3


def test_a_person_whose_channels_are_not_available_yet_counts_as_nobody() -> None:
    mute_ana = replace(PEOPLE["ana"], ways=tuple(replace(way, available=False) for way in PEOPLE["ana"].ways))
    story = Story("critical", directory=replace(DIRECTORY, people={**PEOPLE, "ana": mute_ana}))
    story.tell(OWED)
    assert story.pages() == [(0, 2, "trigger", "ben", PD)]


def test_with_nobody_reachable_at_all_it_never_falls_silent() -> None:
    story = Story("critical", directory=Directory())
    story.tell(OWED)
    assert story.escalation.next_level_at is not None
    assert story.escalation.next_level_at - MONDAY == 300
    story.wait(20 * MINUTE)
    story.directory = DIRECTORY  # somebody mends the schedule
    story.wait(10 * MINUTE)
    assert story.pages(), "the next look finds them"


def test_a_refused_delivery_goes_by_the_next_channel_and_then_to_the_next_level() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.deliver(ReceiptKind.PERMANENT)
    assert story.pages()[-1] == (0, 1, "trigger", "ana", MAIL)
    story.deliver(ReceiptKind.PERMANENT)
    assert story.pages()[-1] == (0, 2, "escalate", "ben", PD)
    assert "L1 skipped: unreachable by every channel" in story.texts()


def test_a_level_of_which_one_person_was_reached_is_not_skipped() -> None:
    policy = replace(POLICY, levels=(Level(("person:chloe", "person:ben")), *POLICY.levels[1:]))
    story = Story("critical", policy=policy)
    story.tell(OWED)
    chloe = next(row for row in story.rows.values() if row.person == "chloe")
    story.deliver(only=PD)
    story.rows[chloe.key] = replace(chloe, state=DeliveryState.SENDING, tries=1)
    story.answer(chloe.key, Receipt(ReceiptKind.PERMANENT, "550 no such user"))
    assert story.escalation.level == 1


def test_a_provider_that_keeps_failing_brings_the_next_channel_beside_it() -> None:
    story = Story("critical")
    story.tell(OWED)
    row = story.of(PageEvent.TRIGGER)[0]
    for _ in range(3):
        story.rows[row.key] = replace(
            story.rows[row.key], state=DeliveryState.SENDING, tries=story.rows[row.key].tries + 1
        )
        story.answer(row.key, Receipt(ReceiptKind.TEMPORARY, "503"))
    assert [(page[4]) for page in story.pages()] == [PD, MAIL]
    assert story.rows[row.key].state is DeliveryState.OWED, "the first goes on trying"


def test_at_the_levels_deadline_the_retries_end() -> None:
    story = Story("critical")
    story.tell(OWED)
    row = story.of(PageEvent.TRIGGER)[0]
    assert row.give_up_at == MONDAY + 15 * MINUTE
    story.now = row.give_up_at - 1
    story.rows[row.key] = replace(row, state=DeliveryState.SENDING, tries=9)
    story.answer(row.key, Receipt(ReceiptKind.TEMPORARY, "503"))
    assert story.rows[row.key].state is DeliveryState.FAILED


# ------------------------------------------------------------ ends


def test_every_destination_that_got_a_page_gets_exactly_one_resolve() -> None:
    story = Story("critical")
    story.tell(OWED)
    for _ in range(31):
        story.wait(MINUTE)
        story.deliver()
    told = {
        (row.person, row.channel)
        for row in story.rows.values()
        if row.event.value in {"trigger", "remind", "escalate"} and row.state is DeliveryState.ACCEPTED
    }
    story.become(IncidentState.RESOLVED, resolved_by="fail-over", resolved_at=story.now)
    story.tell(Ended("Mended by fail-over"))
    story.tell(Ended("Mended by fail-over"))
    sent = [(row.person, row.channel) for row in story.deliver() if row.event is PageEvent.RESOLVE]
    assert sorted(sent) == sorted(told)
    assert len(sent) == len(set(sent))
    assert story.escalation.state is EscalationState.ENDED
    story.wait(48 * HOUR)
    assert not [row for row in story.rows.values() if row.created_at > story.start + 32 * MINUTE], (
        "silence after the end"
    )


def test_a_resolve_while_the_page_is_still_owed_drops_both_and_says_so() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.become(IncidentState.RESOLVED)
    story.tell(Ended("Mended itself"))
    assert story.deliver() == []
    assert {row.state for row in story.rows.values()} == {DeliveryState.DROPPED}
    assert "Over before anyone was told: no resolve is owed" in story.texts()


def test_a_page_that_may_have_arrived_is_owed_its_resolve() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.deliver(ReceiptKind.AMBIGUOUS)
    story.become(IncidentState.RESOLVED)
    story.tell(Ended("Mended itself"))
    assert [row.event for row in story.deliver()] == [PageEvent.RESOLVE]


def test_a_resolve_waits_for_the_page_in_flight_and_is_dropped_if_that_fails() -> None:
    story = Story("critical")
    story.tell(OWED)
    row = story.of(PageEvent.TRIGGER)[0]
    story.rows[row.key] = replace(row, state=DeliveryState.SENDING, tries=1)
    story.become(IncidentState.RESOLVED)
    story.tell(Ended("Mended itself"))
    assert story.deliver() == []
    story.answer(row.key, Receipt(ReceiptKind.PERMANENT, "400"))
    assert story.deliver() == []
    assert story.of(PageEvent.RESOLVE)[0].error == "nobody was told there"


def test_a_late_acknowledgement_is_a_note_and_resolve_wins_when_they_cross() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.deliver()
    story.become(IncidentState.RESOLVED)
    story.tell(Acked("ana"), Ended("Mended itself"))
    assert story.escalation.state is EscalationState.ENDED
    assert story.escalation.acked_by is None
    assert story.answers == ["it is over already; noted"]


def test_recovery_stops_the_clock_and_the_end_sends_the_resolve() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.deliver()
    story.become(IncidentState.RECOVERED)
    story.tell(Recovered("fail-over"))
    story.wait(2 * HOUR)
    assert len(story.pages()) == 1
    story.become(IncidentState.RESOLVED)
    story.tell(Ended("Mended by fail-over"))
    assert [row.event for row in story.deliver()] == [PageEvent.RESOLVE]


def test_a_relapse_pages_again_at_the_level_reached_and_owes_one_more_resolve() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.wait(16 * MINUTE)
    story.deliver()
    story.become(IncidentState.RECOVERED)
    story.tell(Recovered("fail-over"))
    story.become(IncidentState.OPEN)
    story.tell(PageOwed("Relapsed after verified recovery", again=True))
    story.deliver()
    assert story.pages()[-1] == (16, 2, "trigger", "ben", PD)
    assert story.escalation.next_level_at == story.now + 15 * MINUTE
    story.become(IncidentState.RESOLVED)
    story.tell(Ended("Mended"))
    assert (
        len([row for row in story.deliver() if row.event is PageEvent.RESOLVE and row.person == "ben"]) == 1
    )


def test_a_fault_that_outlives_a_persons_resolve_pages_again_and_gets_a_second_resolve() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.deliver()
    story.become(IncidentState.CLOSED)
    story.tell(Ended("Closed by Ana, not verified"))
    story.deliver()
    story.wait(HOUR)
    story.become(IncidentState.OPEN)
    story.tell(PageOwed("Still firing an hour after it was closed", again=True))
    assert [row.event for row in story.deliver()] == [PageEvent.TRIGGER]
    story.become(IncidentState.RESOLVED)
    story.tell(Ended("Mended"))
    assert [row.event for row in story.deliver()] == [PageEvent.RESOLVE]
    assert len(story.of(PageEvent.RESOLVE)) == 2


def test_a_second_reason_is_a_note_and_not_a_second_page() -> None:
    story = Story("critical")
    story.tell(PageOwed("Deadline of 15m passed"))
    story.deliver()
    story.tell(OWED)
    assert len(story.pages()) == 1
    assert "Already paged; further: Ladder exhausted" in story.texts()


# ------------------------------------------------------------ blind, muted, heads-up


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


# ------------------------------------------------------------ restart, reload


def test_overdue_by_one_level_fires_now() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.sleep(20 * MINUTE)
    assert story.escalation.level == 2
    assert story.escalation.next_level_at == MONDAY + 30 * MINUTE, "the next keeps its time"


def test_overdue_by_several_goes_to_the_level_that_should_be_active_with_one_page_for_each_passed() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.deliver()
    story.sleep(70 * MINUTE)
    new = [page for page in story.pages() if page[0] == 70]
    assert new == [
        (70, 2, "escalate", "ben", PD),
        (70, 3, "escalate", "chloe", MAIL),
        (70, 3, "escalate", "dan", PD),
    ]
    assert story.escalation.level == 3
    assert story.escalation.next_level_at == MONDAY + 90 * MINUTE, "on the grid of the missed repeats"
    assert all("due_since" in row.facts for row in story.of(PageEvent.ESCALATE))


def test_120_days_of_sleep_bring_one_round_and_no_flood() -> None:
    """Case 10: stale timers do not go off one by one."""
    story = Story("critical")
    story.tell(OWED)
    story.deliver()
    story.tell(Acked("ana"))
    story.sleep(120 * 24 * HOUR)
    assert len([page for page in story.pages() if page[0] > 0]) == 3
    assert story.escalation.next_level_at is not None
    assert 0 < story.escalation.next_level_at - story.now <= 30 * MINUTE


def test_a_running_escalation_keeps_the_policy_it_began_with() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.policy = Policy((Level(("person:dan",)), Level(("person:dan",), after={"critical": 60.0})))
    story.wait(15 * MINUTE)
    assert [page[3] for page in story.pages() if page[1] == 2] == ["ben"]


def test_an_external_policy_gets_its_one_event() -> None:
    story = Story("critical", policy=external(POLICY))
    story.tell(OWED)
    story.deliver()
    story.wait(24 * HOUR)
    assert story.pages() == [(0, 1, "trigger", "ana", PD)]
    story.become(IncidentState.RESOLVED)
    story.tell(Ended("Mended"))
    assert [row.event for row in story.deliver()] == [PageEvent.RESOLVE]


def test_a_policy_survives_the_row_it_is_kept_on() -> None:
    assert Policy.from_data(POLICY.data()) == POLICY


def test_keys_name_incident_level_loop_person_channel_and_event() -> None:
    story = Story("critical")
    story.tell(OWED)
    assert list(story.rows) == ["sf-1/1/0/ana/pagerduty.0/trigger"]
    assert story.rows["sf-1/1/0/ana/pagerduty.0/trigger"].dedup_key == "fleetmend/sf-1"


def test_a_delivery_nobody_knows_changes_nothing() -> None:
    story = Story("critical")
    before = story.escalation
    assert story.tell(DeliveryFailed("ghost")).deliveries == ()
    assert story.escalation == before


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
