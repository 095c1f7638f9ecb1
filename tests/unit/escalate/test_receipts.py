"""What providers say later: any order, twice, too early, too late."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from daemon.escalate.outbox import begin, recovered_from_restart
from daemon.escalate.receipts import Fate, Report, advanced, report_of, reported
from daemon.incidents.records import Delivery, DeliveryState
from tests.fakes import rows

NOW = 1000.0
S = DeliveryState


def taken(**fields: Any) -> Delivery:
    """A row whose provider took it."""
    own = {"state": S.ACCEPTED, "sent_at": NOW - 5, "provider_id": "SM1", "look_at": NOW + 60}
    return replace(rows.delivery(), **(own | fields))


@pytest.mark.parametrize(
    ("row", "report", "state", "error", "why"),
    [
        (taken(), Report(Fate.DELIVERED), S.ACCEPTED, "", "as hoped"),
        (taken(), Report(Fate.UNDELIVERED, "30003"), S.FAILED, "not delivered: 30003", "the next channel"),
        (taken(), Report(Fate.UNDELIVERED), S.FAILED, "not delivered", "whatever the reason"),
        (begin(rows.delivery()), Report(Fate.DELIVERED), S.ACCEPTED, "", "said before our own mark"),
        (rows.delivery(receipt="maybe: silent"), Report(Fate.SEEN), S.ACCEPTED, "", "not sent again"),
        (taken(state=S.FAILED, error="404"), Report(Fate.DELIVERED), S.ACCEPTED, "", "it arrived all the same"),
        (taken(state=S.DROPPED, error="over"), Report(Fate.DELIVERED), S.DROPPED, "over", "nobody needs it"),
    ],
)  # fmt: skip
def test_what_a_word_of_the_provider_makes_of_a_row(
    row: Delivery, report: Report, state: DeliveryState, error: str, why: str
) -> None:
    known = advanced(row, report, NOW)
    assert (known.state, known.error) == (state, error), why
    assert dict(known.heard) == {str(report.fate): NOW}
    assert known.sent_at is not None, "it was taken: its destination hears of the end"
    assert known.look_at is None, "nothing more is waited for"


@pytest.mark.parametrize(
    ("row", "report", "why"),
    [
        (taken(heard={"delivered": NOW}), Report(Fate.DELIVERED), "twice"),
        (taken(heard={"seen": NOW}), Report(Fate.DELIVERED), "older than what is known"),
        (taken(heard={"delivered": NOW}), Report(Fate.UNDELIVERED), "it was delivered"),
        (taken(sequence=4), Report(Fate.SEEN, sequence=4), "the same number"),
        (taken(sequence=4), Report(Fate.SEEN, sequence=3), "an older number"),
        (taken(), Report(Fate.UNDELIVERED, provider_id="SM0"), "another try of it"),
        (rows.delivery(), Report(Fate.UNDELIVERED), "it is sent again anyway"),
    ],
)
def test_what_is_no_news_changes_nothing(row: Delivery, report: Report, why: str) -> None:
    assert advanced(row, report, NOW) is row, why


@pytest.mark.parametrize("order", list(permutations([Fate.DELIVERED, Fate.SEEN, Fate.ACKED])))
def test_in_whatever_order_they_come_the_most_that_was_said_stands(order: tuple[Fate, ...]) -> None:
    row = taken()
    for fate in order:
        row = advanced(row, Report(fate), NOW)
    assert (row.state, max(map(Fate, row.heard), key=list(Fate).index)) == (S.ACCEPTED, Fate.ACKED)


def test_a_new_try_is_judged_by_its_own_receipts() -> None:
    failed = advanced(begin(taken(look_at=None)), Report(Fate.UNDELIVERED, sequence=3), NOW)
    again = begin(recovered_from_restart(failed, NOW))
    assert (dict(again.heard), again.sequence, again.provider_id) == ({}, 0, "")


def test_a_report_comes_through_an_order_as_it_was() -> None:
    report = Report(Fate.UNDELIVERED, "30003: unreachable", 7, "SM1")
    order = reported(report, "sms", NOW, key="k")
    assert (order.kind, order.who, order.via, order.args["key"]) == ("receipt", "sms", "sms", "k")
    assert report_of(order) == report
    with pytest.raises(ValueError, match="sending"):
        report_of(replace(order, args={**order.args, "fate": "sending"}))
