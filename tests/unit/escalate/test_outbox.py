"""The outbox: what goes next, what is not wanted any more, and what a receipt makes of a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.outbox import (
    FALLBACK_AFTER,
    begin,
    choose,
    recovered_from_restart,
    settle,
    unwanted,
    wait,
    waits,
)
from daemon.incidents.escalation import Escalation, EscalationState
from daemon.incidents.model import IncidentState
from daemon.incidents.records import Delivery, DeliveryState, PageEvent
from tests.fakes import rows

NOW = 1000.0


def row(key: str = "k", **fields: Any) -> Delivery:
    return rows.delivery(key, **({"created_at": NOW, "due_at": NOW, "give_up_at": NOW + 900} | fields))


def sending(**fields: Any) -> Delivery:
    return begin(row(**fields))


@pytest.mark.parametrize(
    ("receipt", "state", "failing", "due", "why"),
    [
        (Receipt(ReceiptKind.OK, "202"), DeliveryState.ACCEPTED, False, NOW, "accepted"),
        (Receipt(ReceiptKind.PERMANENT, "403"), DeliveryState.FAILED, True, NOW, "refused: the next channel"),
        (
            Receipt(ReceiptKind.TEMPORARY, "429", 7.0),
            DeliveryState.OWED,
            False,
            NOW + 7,
            "as long as asked for",
        ),
        (
            Receipt(ReceiptKind.TEMPORARY, "503", 901.0),
            DeliveryState.FAILED,
            True,
            NOW,
            "asked for too long: fallback",
        ),
        (
            Receipt(ReceiptKind.AMBIGUOUS, "silent", 1.0),
            DeliveryState.OWED,
            True,
            NOW + 1,
            "again, same key",
        ),
    ],
)
def test_what_a_receipt_makes_of_a_row(
    receipt: Receipt, state: DeliveryState, failing: bool, due: float, why: str
) -> None:
    after = settle(sending(), receipt, NOW)
    assert (after.row.state, after.failing, after.row.due_at) == (state, failing, due), why
    assert after.row.key == "k"


def test_waiting_doubles_up_to_two_minutes_and_is_the_same_in_every_replay() -> None:
    waits_ = [wait(replace(row(), tries=tries), Receipt(ReceiptKind.TEMPORARY)) for tries in range(1, 12)]
    for seconds, longest in zip(waits_, [5, 10, 20, 40, 80, 120, 120, 120, 120, 120, 120], strict=True):
        assert longest / 2 <= seconds <= longest
    assert waits_ == [
        wait(replace(row(), tries=tries), Receipt(ReceiptKind.TEMPORARY)) for tries in range(1, 12)
    ]


def test_different_rows_do_not_all_come_back_at_once() -> None:
    seconds = {wait(replace(row(f"k{n}"), tries=3), Receipt(ReceiptKind.TEMPORARY)) for n in range(20)}
    assert len(seconds) > 15


def test_the_next_channel_is_wanted_at_the_third_failure_and_only_then() -> None:
    row, failing = replace(sending(give_up_at=None), tries=0), []
    for _ in range(1, 6):
        after = settle(begin(row), Receipt(ReceiptKind.TEMPORARY), NOW)
        row = after.row
        failing.append(after.failing)
    assert failing == [tries == FALLBACK_AFTER for tries in range(1, 6)]


def test_a_receipt_remembers_that_an_earlier_try_may_have_arrived() -> None:
    once = settle(sending(), Receipt(ReceiptKind.AMBIGUOUS, "silent"), NOW).row
    twice = settle(begin(once), Receipt(ReceiptKind.PERMANENT, "404"), NOW).row
    assert twice.state is DeliveryState.FAILED
    assert twice.receipt.startswith("maybe")


def test_a_restart_owes_again_under_the_same_key() -> None:
    again = recovered_from_restart(sending(due_at=NOW - 50), NOW)
    assert (again.key, again.state, again.due_at) == ("k", DeliveryState.OWED, NOW)


def test_one_message_per_destination_oldest_first_pages_before_notes() -> None:
    older = row("b-older", address="ana/0", created_at=NOW - 5)
    newer = row("a-newer", address="ana/0", created_at=NOW, event=PageEvent.RESOLVE)
    note = row("c-note", address="ben/0", event=PageEvent.STATUS, due_at=NOW - 100)
    other = row("d-other", address="dan/0")
    busy = row("e", address="eve/0")
    chosen = choose([newer, older, note, other, busy], [sending(key="x", address="eve/0")], 10)
    assert [found.key for found in chosen] == ["b-older", "d-other", "c-note"]
    assert len(choose([older, note, other], [], 2)) == 2
    assert choose([older], [], 0) == ()


def test_a_page_and_its_resolve_made_in_one_instant_go_in_that_order() -> None:
    trigger = row("z-trigger")
    resolve = row("a-resolve", event=PageEvent.RESOLVE)
    assert [found.key for found in choose([resolve, trigger], [], 9)] == ["z-trigger"]


@pytest.mark.parametrize(
    ("other", "expected", "why"),
    [
        (sending(key="o"), True, "one is in flight"),
        (row("o", created_at=NOW - 1, due_at=NOW + 60), True, "an older one will be tried again"),
        (row("o", created_at=NOW + 1), False, "a newer one waits for us"),
        (row("o", created_at=NOW - 1, address="ben/0"), False, "another destination"),
        (row("o", created_at=NOW - 1, incident="other"), False, "another incident"),
        (row("o", created_at=NOW - 1, state=DeliveryState.ACCEPTED), False, "settled"),
        (
            row("o", created_at=NOW - 1, event=PageEvent.DIGEST, due_at=NOW + 9e4),
            False,
            "tomorrow's digest holds up nothing",
        ),
    ],
)
def test_what_a_message_waits_for(other: Delivery, expected: bool, why: str) -> None:
    assert waits(row(), [row(), other]) is expected, why


@pytest.mark.parametrize(
    ("event", "state", "escalation", "wanted", "why"),
    [
        (PageEvent.TRIGGER, IncidentState.OPEN, EscalationState.PAGING, True, "as usual"),
        (PageEvent.TRIGGER, IncidentState.OPEN, EscalationState.ACKED, False, "somebody has it"),
        (PageEvent.REMIND, IncidentState.OPEN, EscalationState.ACKED, False, "somebody has it"),
        (PageEvent.ESCALATE, IncidentState.OPEN, EscalationState.ACKED, True, "an ack stops no level"),
        (PageEvent.TRIGGER, IncidentState.RECOVERED, EscalationState.PAGING, False, "verified meanwhile"),
        (PageEvent.ESCALATE, IncidentState.RESOLVED, EscalationState.ENDED, False, "over"),
        (PageEvent.STATUS, IncidentState.RESOLVED, EscalationState.ENDED, False, "over"),
        (PageEvent.TEST, IncidentState.RESOLVED, EscalationState.ENDED, True, "a test is a test"),
        (PageEvent.DIGEST, IncidentState.RESOLVED, EscalationState.ENDED, True, "a digest tells of the day"),
        (PageEvent.RESOLVE, IncidentState.RESOLVED, EscalationState.ENDED, False, "nobody was told there"),
    ],
)
def test_at_the_moment_of_sending_it_is_asked_again_whether_it_is_wanted(
    event: PageEvent, state: IncidentState, escalation: EscalationState, wanted: bool, why: str
) -> None:
    mine = row(event=event)
    said = unwanted(mine, rows.incident(state=state), Escalation("po-1", escalation, level=1), [mine])
    assert (said == "") is wanted, why


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        (row("p", state=DeliveryState.ACCEPTED), True),
        (row("p", state=DeliveryState.FAILED, receipt="maybe: silent"), True),
        (row("p", state=DeliveryState.DROPPED, receipt="maybe: silent"), True),
        (row("p", state=DeliveryState.FAILED), False),
        (row("p", state=DeliveryState.ACCEPTED, address="ben/0"), False),
    ],
)
def test_a_resolve_goes_where_a_page_may_have_arrived_and_nowhere_else(page: Delivery, wanted: bool) -> None:
    resolve = row("r", event=PageEvent.RESOLVE)
    said = unwanted(resolve, rows.incident(state=IncidentState.RESOLVED), None, [page, resolve])
    assert (said == "") is wanted


def test_a_reminder_of_a_level_that_was_passed_is_not_sent() -> None:
    reminder = row(event=PageEvent.REMIND, level=1)
    assert unwanted(reminder, rows.incident(), Escalation("po-1", EscalationState.PAGING, level=2), [])
