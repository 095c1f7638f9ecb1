"""Mail scanners and chat previews fetch every link they see: whatever any channel sends, fetching it changes nothing."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

import pytest
from starlette.testclient import TestClient

from daemon.escalate.message import ReceiptKind
from daemon.web.sessions import Sessions
from tests.fakes.channel_benches import HTTP, Bench, email, page
from tests.fakes.face import Face
from tests.fakes.scene import NOW, SILENT
from tests.fakes.smtp import Mailbox, mail_server
from tests.integration.web.conftest import HOME

ADDRESS = re.compile(rf"{re.escape(HOME)}(/[^\s\"'<>|)\\]*)")


@pytest.fixture(params=["email", *HTTP])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "email":
        box = Mailbox()
        with mail_server(box) as port:
            yield email(box, port)
    else:
        yield HTTP[request.param]()


def test_fetching_every_link_of_a_page_by_get_and_head_leaves_it_unacknowledged(
    bench: Bench, face: Face, client: TestClient
) -> None:
    """Case 20."""
    ack = f"/a/{Sessions(lambda: face.keys).link(SILENT, 'ana', 1, NOW)}"
    links = (("Incident, chart and buttons", f"{HOME}/incidents/{SILENT}"), ("Acknowledge", f"{HOME}{ack}"))
    assert bench.send(replace(page(), incident=SILENT, links=links)).kind is ReceiptKind.OK
    text = html.unescape("\n".join(unquote(text) for _, _, text in bench.arrived()))
    found = {match[1].rstrip(".,;") for match in ADDRESS.finditer(text)}
    assert found or bench.entry.channel.kind == "voice", f"no link of ours in {text}"
    with face.store.read() as uow:
        before = uow.escalations.get(SILENT), uow.timeline.last_seq()
    for path in found:
        for method in ("GET", "HEAD"):
            for _ in range(2):
                assert client.request(method, path).status_code < 500
    assert face.record.orders == []
    with face.store.read() as uow:
        assert (uow.escalations.get(SILENT), uow.timeline.last_seq()) == before
