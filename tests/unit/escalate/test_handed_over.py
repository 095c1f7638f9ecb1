"""An incident that one person gives to another: who is told what, and what stays as it was."""

from __future__ import annotations

import pytest

from daemon.escalate.message import ReceiptKind
from daemon.escalate.triggers import Acked, Ended, HandedOver, PageOwed
from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import IncidentState
from daemon.incidents.records import PageEvent
from tests.fakes.paging import MAIL, MINUTE, MONDAY, PD, Story

OWED = PageOwed("Ladder exhausted")


def paged() -> Story:
    story = Story("critical")
    story.tell(OWED)
    story.deliver()
    return story


def test_who_it_is_given_to_is_paged_and_the_next_level_keeps_its_time() -> None:
    story = paged()
    story.tell(Acked("ana"))
    story.wait(5 * MINUTE)
    story.tell(HandedOver("ana", "dan", "off to the airport"))
    assert story.answers[-1] == "Dan is paged, and has it from the acknowledgement on"
    assert story.pages()[-1] == (5, 1, "escalate", "dan", PD)
    row = [row for row in story.rows.values() if row.person == "dan"][-1]
    assert row.facts["reason"] == "Handed over to Dan by ana: off to the airport"
    assert (story.escalation.state, story.escalation.acked_by) == (EscalationState.PAGING, None)
    assert story.escalation.next_level_at == MONDAY + 15 * MINUTE
    assert "Handed over to Dan by ana: off to the airport" in story.texts()


def test_only_whom_it_was_given_to_is_reminded_until_they_acknowledge() -> None:
    story = paged()
    story.tell(HandedOver("ana", "dan"))
    story.deliver()
    story.wait(5 * MINUTE)
    assert [(row.person, row.level) for row in story.of(PageEvent.REMIND)] == [("dan", 1)]
    story.tell(Acked("dan"))
    assert (story.escalation.acked_by, story.escalation.remind_at) == ("dan", None)
    story.wait(10 * MINUTE)
    assert story.pages()[-1][:4] == (15, 2, "escalate", "ben"), (
        "unresolved, the next level follows all the same"
    )


def test_both_get_exactly_one_resolve_at_the_end() -> None:
    story = paged()
    story.tell(HandedOver("ana", "dan"))
    story.tell(HandedOver("dan", "ana", "back already"))
    story.deliver()
    story.become(IncidentState.RESOLVED)
    story.tell(Ended("Mended"))
    assert sorted(row.person for row in story.deliver() if row.event is PageEvent.RESOLVE) == ["ana"], (
        "Dan's page was taken back before it was sent"
    )
    assert len({row.key for row in story.rows.values()}) == len(story.rows)


@pytest.mark.parametrize(
    ("to", "before", "answer"),
    [
        ("ghost", OWED, "ghost cannot be told: nothing changed"),
        ("dan", None, "nobody has been paged yet: there is nothing to hand over"),
        ("dan", Ended("Mended"), "it is over already"),
    ],
)
def test_what_cannot_be_handed_over_changes_nothing(
    to: str, before: PageOwed | Ended | None, answer: str
) -> None:
    story = Story("critical")
    if before is not None:
        story.tell(OWED)
    if isinstance(before, Ended):
        story.become(IncidentState.RESOLVED)
        story.tell(before)
    rows, escalation = dict(story.rows), story.escalation
    story.tell(HandedOver("ana", to))
    assert (story.answers[-1], story.rows, story.escalation) == (answer, rows, escalation)


def test_who_cannot_be_reached_is_followed_by_the_next_level() -> None:

    story = paged()
    story.tell(HandedOver("ana", "chloe"))
    story.deliver(ReceiptKind.PERMANENT, only=MAIL)
    assert story.pages()[-1][1:4] == (2, "escalate", "ben")
