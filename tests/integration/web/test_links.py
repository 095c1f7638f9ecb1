"""Links in pages: looking changes nothing, pressing acts, for one person, one incident and a day."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from config.people import PersonSpec
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.log import REQUEST_SERVED
from daemon.web.sessions import LINK_HOLDS, Sessions
from remediations.run import RunState
from tests.fakes.face import Face
from tests.fakes.scene import HOT, NOW, SILENT


@pytest.fixture
def link(face: Face) -> str:
    """The path of a link sent to ana about the silent provider."""
    return f"/a/{Sessions(lambda: face.keys).link(SILENT, 'ana', 1, NOW)}"


def test_looking_at_a_link_shows_what_it_would_do_and_does_nothing(
    face: Face, client: TestClient, link: str
) -> None:
    for _ in range(3):
        answer = client.get(link)
        assert answer.status_code == 200
    client.head(link)
    assert face.record.orders == []
    assert "Acknowledge as ana?" in answer.text
    assert "L2 still 04:25 CET / 03:25Z" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin", "the address is the permission"


def test_a_link_tells_the_time_by_the_clock_of_whom_it_was_sent_to(
    face: Face, client: TestClient, link: str
) -> None:
    """A phone that never saw the console tells no zone; the person's configuration does."""
    ana = PersonSpec.model_validate(
        {"name": "Ana", "timezone": "Europe/Paris", "channels": [{"console": {}}]}
    )
    face.known = replace(face.known, people={"ana": ana})
    assert "L2 still 04:25 CET / 03:25Z" in client.get(link).text
    client.cookies.set("fleetmend_zone", "America/New_York")
    assert "L2 still 22:25 EST / 03:25Z" in client.get(link).text


def test_pressing_its_button_acknowledges_without_a_login(face: Face, client: TestClient, link: str) -> None:
    answer = client.post(link)
    assert answer.status_code == 200
    assert "Acknowledged, ana" in answer.text
    (order,) = face.record.orders
    assert (order.kind, order.who, order.via, order.incident) == ("ack", "ana", "link", SILENT)


def test_a_link_used_twice_is_two_acks_which_do_no_harm(face: Face, client: TestClient, link: str) -> None:
    assert client.post(link).status_code == 200
    assert client.post(link).status_code == 200
    assert [order.kind for order in face.record.orders] == ["ack", "ack"]


def test_a_link_holds_for_a_day(face: Face, client: TestClient, link: str) -> None:
    face.clock.at = NOW + LINK_HOLDS - 1
    assert client.get(link).status_code == 200
    face.clock.at = NOW + LINK_HOLDS
    for answer in (client.get(link), client.post(link)):
        assert answer.status_code == 403
        assert "older than 24 hours" in answer.text
        assert f"fleetmend ack {SILENT}" in answer.text
    assert face.record.orders == []


@pytest.mark.parametrize("place", [0, 5, 20, -1, -10])
def test_a_link_that_was_changed_is_no_link(face: Face, client: TestClient, link: str, place: int) -> None:
    token = [*link.removeprefix("/a/")]
    # The last letter stands for four bits of the signature; A to D differ in the two that are none.
    token[place] = "A" if token[place] not in "ABCD" else "Q"
    for answer in (client.get(f"/a/{''.join(token)}"), client.post(f"/a/{''.join(token)}")):
        assert answer.status_code == 403
        assert "fleetmend ack" in answer.text
    assert face.record.orders == []


@pytest.mark.parametrize("token", ["x", "x" * 10_000, "%3Cscript%3E", "eyJhIjoxfQ.x"])
def test_what_is_no_link_is_refused_quietly(client: TestClient, token: str) -> None:
    answer = client.get(f"/a/{token}")
    assert answer.status_code in {403, 404}
    assert "<script>" not in answer.text


def test_a_session_is_no_link_and_a_link_is_no_session(face: Face, client: TestClient, link: str) -> None:
    sessions = Sessions(lambda: face.keys)
    cookie = sessions.cookie(sessions.open(NOW, 100.0))
    assert client.get(f"/a/{cookie}").status_code == 403
    assert sessions.read(link.removeprefix("/a/"), NOW) is None


def test_a_link_of_before_the_key_was_rotated_still_holds(face: Face, client: TestClient, link: str) -> None:
    face.keys = [b"newer-key-newer-key-newer-key-00", *face.keys]
    assert client.get(link).status_code == 200
    face.keys = face.keys[:1]
    assert client.get(link).status_code == 403


def test_a_button_pressed_from_another_site_does_nothing(face: Face, client: TestClient, link: str) -> None:
    assert client.post(link, headers={"Origin": "http://evil.example"}).status_code == 403
    assert face.record.orders == []


def test_a_link_to_an_incident_that_is_gone_says_so(face: Face, client: TestClient) -> None:
    token = Sessions(lambda: face.keys).link("sf-gone22", "ana", 1, NOW)
    assert client.get(f"/a/{token}").status_code == 404
    assert client.post(f"/a/{token}").status_code == 404


def test_a_link_opens_nothing_but_its_own_incident(client: TestClient, link: str) -> None:
    client.get(link)
    assert client.get(f"/incidents/{HOT}").status_code == 303


RUNG = "fail-over-to-secondary"


@pytest.fixture
def asking(face: Face) -> None:
    """The silent provider's ladder proposes its fail-over."""
    with face.store.write() as uow:
        run = uow.runs.get(SILENT)
        assert run is not None
        proposed = replace(run, state=RunState.PROPOSED, ended_at=None, rung=1)
        said = Event(SILENT, NOW, Kind.PROPOSED, f"{RUNG} is proposed.", {"rung": RUNG})
        uow.apply(Change(run=proposed, events=(said,)))


@pytest.mark.usefixtures("asking")
@pytest.mark.parametrize(("kind", "words"), [("approve", "Approved, ana"), ("reject", "Rejected, ana")])
def test_a_proposal_is_answered_from_its_page_for_the_rung_on_the_button(
    face: Face, client: TestClient, link: str, kind: str, words: str
) -> None:
    assert f"Approve {RUNG}" in client.get(link).text
    answer = client.post(link, data={"do": kind, "rung": RUNG})
    assert words in answer.text
    (order,) = face.record.orders
    assert (order.kind, order.who, order.via, order.incident) == (kind, "ana", "link", SILENT)
    assert order.args["rung"] == RUNG


@pytest.mark.usefixtures("asking")
@pytest.mark.parametrize("rung", ["", "open-breaker", "<script>"])
def test_an_answer_for_a_rung_that_is_not_proposed_does_nothing_and_says_so(
    face: Face, client: TestClient, link: str, rung: str
) -> None:
    answer = client.post(link, data={"do": "approve", "rung": rung})
    assert answer.status_code == 200
    assert face.record.orders == []
    assert "<script>" not in answer.text


def test_where_nothing_is_proposed_a_link_only_acknowledges(
    face: Face, client: TestClient, link: str
) -> None:
    assert "Approve" not in client.get(link).text
    client.post(link, data={"do": "approve", "rung": RUNG})
    client.post(link, data={"do": "resolve"})
    assert [order.kind for order in face.record.orders] == ["ack"], "and gives no other order"


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_an_origin_that_makes_no_sense_is_another_site(
    face: Face, client: TestClient, link: str, origin: str
) -> None:
    assert client.post(link, headers={"Origin": origin.encode("latin-1")}).status_code == 403
    assert face.record.orders == []


def test_a_fault_of_ours_puts_no_link_into_the_log(
    face: Face, client: TestClient, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the log could acknowledge by it, and approve."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("daemon.web.links._about", broken)
    with capture_logs() as said:
        assert client.get(link).status_code == 500
    [line] = [one for one in said if one["event"] == REQUEST_SERVED]
    assert line["path"] == "/a/***"
