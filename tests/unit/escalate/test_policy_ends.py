"""How an escalation ends: whoever got a page gets one resolve, and a fault that comes back pages again."""

from __future__ import annotations

from dataclasses import replace

from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.outbox import begin, recovered_from_restart, waits
from daemon.escalate.triggers import Acked, Ended, PageOwed, Recovered
from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import IncidentState
from daemon.incidents.records import DeliveryState, PageEvent
from tests.fakes.paging import HOUR, MINUTE, PD, Story

OWED = PageOwed("Ladder exhausted")


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


def test_a_clock_that_was_set_back_between_a_page_and_its_end_changes_the_order_of_nothing() -> None:
    story = Story("critical")
    story.tell(OWED)
    [page] = story.of(PageEvent.TRIGGER)
    story.rows[page.key] = begin(page)
    story.now -= 2 * HOUR
    story.become(IncidentState.CLOSED)
    story.tell(Ended("Closed by Ana, not verified"))
    story.rows[page.key] = recovered_from_restart(story.rows[page.key], story.now)
    story.become(IncidentState.OPEN)
    story.tell(PageOwed("Still firing", again=True))
    story.become(IncidentState.RESOLVED)
    [resolve] = story.of(PageEvent.RESOLVE)
    assert resolve.created_at >= page.created_at
    assert waits(resolve, story.rows.values()), "the page may still be on its way"
