"""Which message was the first of an incident at a destination: what follows answers it, or changes it."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.escalate.threads import first_of, placed
from daemon.incidents.records import Delivery, DeliveryState, PageEvent
from tests.fakes.channel_benches import page
from tests.fakes.rows import delivery


def sent(at: float, event: PageEvent = PageEvent.TRIGGER, **more: Any) -> Delivery:
    given = {"state": DeliveryState.ACCEPTED, "provider_id": f"C1/{at}", "created_at": at}
    return delivery(f"po-1/{event}/{at}", event=event, **(given | more))


NOTE = sent(900.0, PageEvent.STATUS, state=DeliveryState.OWED, provider_id="")


@pytest.mark.parametrize(("rows", "first", "why"), [
    ([sent(1), sent(2, PageEvent.REMIND)], "C1/1", "the oldest page"),
    ([sent(1, PageEvent.HEADS_UP), sent(2)], "C1/2", "a heads-up is no page"),
    ([sent(1, address="ana/1"), sent(2)], "C1/2", "another channel's is not this one's"),
    ([sent(1, state=DeliveryState.FAILED), sent(2)], "C1/2", "what was refused stands nowhere"),
    ([sent(1), sent(2, PageEvent.RESOLVE), sent(3)], "C1/3", "an end was told: what came after it is new"),
    ([sent(1), sent(2, PageEvent.RESOLVE)], "", "an end was told, and nothing after it"),
    ([sent(1), sent(2, PageEvent.RESOLVE, state=DeliveryState.DROPPED)], "C1/1", "an end that was never told"),
    ([sent(1, provider_id="")], "", "a provider that calls it nothing"),
    ([sent(1, facts={"batch": "job"}), sent(2)], "", "it went out with other incidents' pages"),
    ([NOTE], "", "itself"),
])  # fmt: skip
def test_the_first_page_is(rows: list[Delivery], first: str, why: str) -> None:
    found = first_of(NOTE, [*rows, NOTE])
    assert (found.provider_id if found else "") == first, why


def test_an_end_itself_changes_the_page_it_ends() -> None:
    end = sent(3, PageEvent.RESOLVE, state=DeliveryState.SENDING, provider_id="")
    found = first_of(end, [sent(1), end])
    assert found is not None
    assert found.provider_id == "C1/1"


@pytest.mark.parametrize(("receipt", "maybe"), [("maybe: interrupted by a restart", True), ("", False)])
def test_a_message_knows_that_it_may_have_arrived(receipt: str, *, maybe: bool) -> None:
    row = sent(3, state=DeliveryState.SENDING, provider_id="", receipt=receipt)
    told = placed(page(), row, [sent(1), row], "t0ken")
    assert (told.maybe, told.first, told.token) == (maybe, "C1/1", "t0ken")
