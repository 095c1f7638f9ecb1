"""What people do to an escalation, and what happens when nobody is to be had."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.rules import Level
from daemon.escalate.schedules import Directory
from daemon.escalate.triggers import Acked, Escalated, Extended, PageOwed
from daemon.incidents.escalation import EscalationState
from daemon.incidents.events import Kind
from daemon.incidents.records import DeliveryState, PageEvent
from tests.fakes.paging import DIRECTORY, HOOK, HOUR, MAIL, MINUTE, MONDAY, PD, PEOPLE, POLICY, Story

OWED = PageOwed("Ladder exhausted")


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
