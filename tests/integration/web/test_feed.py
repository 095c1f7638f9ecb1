"""Who is on call as a calendar: what it shows, to whom, and behind which address."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from config.people import PersonSpec
from config.schedules import ScheduleSpec
from config.scope import scope_of
from daemon.escalate.booked import Booked, Booking
from daemon.escalate.ical import read
from daemon.store.checkpoints import CALENDARS
from tests.fakes.face import TOKENS, Face
from tests.fakes.scene import NOW

DAY = 86_400.0
VIEWER = {"Authorization": f"Bearer {TOKENS['viewer']}"}


@pytest.fixture
def rota(face: Face) -> Face:
    """Two people who take turns of a day, and a schedule that is kept in a calendar."""
    rotation = {"every": "1d", "starts": "2026-01-01 09:00", "people": ["ana", "ben"]}
    schedules = {
        "primary": ScheduleSpec.model_validate({"rotation": rotation}),
        "kept": ScheduleSpec.model_validate({"calendar": {"file": "x.ics"}}),
    }
    face.known = replace(face.known, people={}, schedules=schedules)
    booked = Booked((Booking(NOW - DAY, NOW + DAY, "chloe"),), NOW - 60, NOW + 400 * DAY)
    with face.store.write() as uow:
        uow.checkpoints.save({(CALENDARS, scope_of({"schedule": "kept"})): booked.data()})
    return face


def people_in(content: bytes) -> list[str]:
    found = read(
        content, "UTC", {"ana": "ana", "ben": "ben", "chloe": "chloe"}, NOW, back=30 * DAY, ahead=100 * DAY
    )
    return [booking.person for booking in found.booked.bookings]


def test_a_calendar_shows_the_turns_of_ninety_days_and_the_present_one_from_its_beginning(
    rota: Face, client: TestClient
) -> None:
    answer = client.get("/api/v1/oncall.ics?schedule=primary", headers=VIEWER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert people_in(answer.content) in (["ana", "ben"] * 45 + ["ana"], ["ben", "ana"] * 45 + ["ben"])
    rota.clock.at += 600
    again = client.get("/api/v1/oncall.ics?schedule=primary", headers=VIEWER).content
    begins = [
        [line for line in text.splitlines() if line.startswith((b"DTSTART", b"UID"))]
        for text in (answer.content, again)
    ]
    assert begins[0] == begins[1], "a subscriber sees nothing move"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("schedule=primary&person=Ana&next=4d", {"ana"}),
        ("person=chloe", {"chloe"}),
        ("schedule=kept", {"chloe"}),
        ("next=2d", {"ana", "ben", "chloe"}),
    ],
)  # fmt: skip
def test_a_calendar_can_be_of_one_schedule_or_person(
    rota: Face, client: TestClient, asked: str, expected: set[str]
) -> None:
    content = client.get(f"/api/v1/oncall.ics?{asked}", headers=VIEWER).content.decode()
    shown = {name for name in ("ana", "ben", "chloe") if f"SUMMARY:On call: {name}" in content}
    assert shown == expected


def test_the_list_of_duties_knows_what_a_calendar_said(rota: Face, client: TestClient) -> None:
    duties = {row["schedule"]: row for row in client.get("/api/v1/oncall", headers=VIEWER).json()["oncall"]}
    assert duties["kept"]["now"] == ["chloe"]
    assert duties["kept"]["calendar_read_at"] is not None
    assert duties["primary"]["calendar_read_at"] is None


def test_a_signed_address_shows_one_schedule_without_a_header_until_its_key_is_gone(
    rota: Face, client: TestClient
) -> None:
    page = client.get("/pages", headers=VIEWER).text
    address = f"/oncall/{_token(rota, 'primary')}.ics"
    assert f'href="{address}"' in page
    answer = client.get(address)
    assert answer.status_code == 200
    assert b"(primary)" in answer.content
    assert b"(kept)" not in answer.content
    rota.keys = [b"second-key-second-key-second-key", *rota.keys]
    assert client.get(address).status_code == 200, "a key that is being replaced still holds"
    rota.keys = [b"third-key-third-key-third-key-03"]
    assert client.get(address).status_code == 404
    for wrong in ("x", "x" * 3000, address.removeprefix("/oncall/").removesuffix(".ics")[:-2]):
        assert client.get(f"/oncall/{wrong}.ics").status_code == 404


def test_a_person_has_an_address_for_their_own_turns(rota: Face, client: TestClient) -> None:
    rota.known = replace(rota.known, people={"ana": PersonSpec(name="Ana", channels=({"console": {}},))})
    address = f"/oncall/{rota.app.state.parts.sessions.feed(person='ana')}.ics"
    assert f'<a href="{address}">Ana</a>' in client.get("/pages", headers=VIEWER).text
    content = client.get(address).content
    assert b"SUMMARY:On call: Ana (primary)" in content
    assert b"ben" not in content
    assert b"chloe" not in content


def _token(face: Face, schedule: str) -> str:
    token = face.app.state.parts.sessions.feed(schedule=schedule)
    assert isinstance(token, str)
    return token


def test_without_a_signing_key_no_address_is_offered(rota: Face, client: TestClient) -> None:
    rota.keys = []
    assert "/oncall/" not in client.get("/pages", headers=VIEWER).text


def test_an_address_that_acknowledges_is_no_calendar_and_the_other_way_round(
    rota: Face, client: TestClient
) -> None:
    sessions = rota.app.state.parts.sessions
    assert sessions.feed_of(sessions.link("sf-4k7q2m", "ana", 1, NOW)) is None
    assert client.get(f"/a/{_token(rota, 'primary')}").status_code == 403


@pytest.mark.parametrize("person", ["a%0d%0aX-EVIL:1", "a%0dX-EVIL:1", "a%0aX-EVIL:1", "%00%e2%80%ae"])
def test_what_is_asked_for_adds_no_line_to_the_calendar(rota: Face, client: TestClient, person: str) -> None:
    answer = client.get(f"/api/v1/oncall.ics?person={person}", headers=VIEWER)
    assert answer.status_code == 200
    assert not any(line.startswith("X-EVIL") for line in answer.text.splitlines())
    assert not set(answer.text) & {"\x00", "\N{RIGHT-TO-LEFT OVERRIDE}"}
