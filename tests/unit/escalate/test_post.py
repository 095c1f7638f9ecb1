"""What holds for every channel's sending, whatever the channel: nothing that comes back opens a door."""

from __future__ import annotations

import pytest

from config.people import PersonSpec
from config.secrets import Environment
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import address_book
from daemon.escalate.message import Message
from daemon.escalate.post import deliver
from daemon.incidents.records import PageEvent
from remediations.ports import Ambiguous, Request, Response
from tests.fakes.ports import FakeClock, FakeHttp

HOOK = "https://hooks.example.org/take"
LINK, PRESSED = "WyJzZiJd.link-token-of-ana", "WyJzZiJd.button-token-of-ana"
PAGE = Message(
    "k", "d", "sf-4k7q2m", PageEvent.TRIGGER, "critical", 1, "[CRIT L1] down", at=1.0, token=PRESSED,
    links=(("Incident", "https://fm.example.org/incidents/sf-4k7q2m"), ("Acknowledge", f"https://fm.example.org/a/{LINK}")),
)  # fmt: skip


@pytest.mark.parametrize("status", [400, 404, 503, 0])
def test_what_acknowledges_is_in_no_receipt_though_the_other_side_repeats_it(status: int) -> None:
    """A receipt stands in a row that every viewer may read; the link in it would order as whom it was sent to."""

    def repeats(request: Request) -> Response:
        assert LINK.encode() in (request.body or b"")
        said = f"cannot take {LINK} or {PRESSED}"
        if not status:
            raise Ambiguous(said)
        return Response(status, {}, said.encode(), 0.0)

    settings = {"url": HOOK, "secret": {"env": "S"}}
    people = {"ana": PersonSpec(name="Ana", channels=({"webhook": settings},))}
    book, _ = address_book(people, {}, Environment({"S": "whsec_" + "QUFB" * 8}).context)
    clock = FakeClock()
    doors = Doors(FakeHttp().on("POST", HOOK, repeats), clock, lambda text: text)
    receipt = deliver(PAGE, PAGE, book.entries["ana/0"], book, doors, clock.monotonic() + 10)
    assert "cannot take" in receipt.detail
    assert not any(token in receipt.detail for token in (LINK, PRESSED))
