"""What is signed, for whom, and for how long; what the recorder is never robbed of; who is woken by a change."""

from __future__ import annotations

import asyncio
import base64
import itertools
import zlib
from concurrent.futures import Future

import anyio
import pytest

from daemon.desk.tokens import Caller, Role, Tokens
from daemon.store.store import Store
from daemon.web.keep import keep
from daemon.web.problems import Busy
from daemon.web.pulse import Beat, Full, Pulse
from daemon.web.sessions import Link, LinkRefused, Session, Sessions
from tests.fakes import rows
from tests.fakes.face import Face, tokens

KEY, NEWER = b"k" * 32, b"n" * 32
ANA = Caller("operator", Role.OPERATOR, "console")


def sessions(*keys: bytes) -> Sessions:
    return Sessions(lambda: keys)


def test_a_session_is_read_back_until_its_time() -> None:
    made = sessions(KEY)
    session = made.open(100.0, 50.0, ANA, "seal")
    assert made.read(made.cookie(session), 149.9) == session
    assert made.read(made.cookie(session), 150.0) is None


@pytest.mark.parametrize(
    ("keys", "good", "why"),
    [
        ((KEY,), True, "the key that signed"),
        ((NEWER, KEY), True, "rotated, the old one still accepted"),
        ((NEWER,), False, "the old one is gone"),
        ((), False, "no key at all: a key of the process's own"),
    ],
)
def test_a_key_is_rotated_without_sending_anyone_home(keys: tuple[bytes, ...], good: bool, why: str) -> None:
    old = sessions(KEY)
    session = old.open(0.0, 100.0, ANA, "seal")
    later = sessions(*keys)
    assert (later.read(old.cookie(session), 1.0) == session) is good, why
    assert later.form_fits(session, old.form_token(session)) is good, why


def test_a_form_token_belongs_to_one_session() -> None:
    made = sessions(KEY)
    one, other = made.open(0.0, 9.0), made.open(0.0, 9.0)
    assert one.id != other.id
    assert made.form_fits(one, made.form_token(one))
    assert not made.form_fits(other, made.form_token(one))
    for wrong in ("", "x", "é" * 64, made.form_token(one)[:-1], made.form_token(one) + "0"):
        assert not made.form_fits(one, wrong)


def test_without_configured_keys_a_process_signs_with_its_own_and_no_other_reads_it() -> None:
    one, other = sessions(), sessions()
    cookie = one.cookie(one.open(0.0, 9.0))
    assert one.read(cookie, 1.0) is not None
    assert other.read(cookie, 1.0) is None


def test_a_link_says_what_it_was_made_for() -> None:
    made = sessions(KEY)
    assert made.follow(made.link("po-q3v7xk", "ana", 2, 10.0), 20.0) == Link("po-q3v7xk", "ana", 2, 86_410.0)
    with pytest.raises(LinkRefused) as refused:
        made.follow(made.link("po-q3v7xk", "ana", 2, 10.0), 86_410.0)
    assert refused.value.incident == "po-q3v7xk"


def test_a_broken_link_names_only_what_looks_like_an_incident() -> None:
    made = sessions(KEY)
    forged = sessions(NEWER).link("po-q3v7xk", "ana", 1, 10.0)
    odd = sessions(NEWER).link("<b>po</b>", "ana", 1, 10.0)
    for token, named in ((forged, "po-q3v7xk"), (odd, ""), ("", ""), ("x" * 9999, ""), ("a.b.c", "")):
        with pytest.raises(LinkRefused) as refused:
            made.follow(token, 20.0)
        assert refused.value.incident == named


def test_a_login_holds_as_long_as_its_very_token() -> None:
    known = tokens(["operator"])
    seal = known.seal("operator")
    session = Session("id", 1e12, "operator", seal)
    made = sessions(KEY)
    assert made.caller(session, known) == ANA
    assert made.caller(session, Tokens([])) is None, "the token was removed"
    assert made.caller(Session("id", 1e12, "operator", "x" * 32), known) is None, "the token was replaced"
    assert made.caller(Session("id", 1e12, "admin", seal), known) is None, "another's name"
    assert made.caller(Session("id", 1e12), known) is None, "nobody logged in"
    assert made.caller(None, known) is None
    assert known.seal("nobody") == ""
    assert len(seal) == 32


def test_giving_up_waiting_takes_nothing_from_the_recorder() -> None:
    with Store.open("sqlite://") as store:
        face = Face(store, record_within=0.01)
        pending: Future[tuple[int, ...]] = Future()
        face.record = lambda orders, alerts: pending  # type: ignore[assignment]

        async def wait() -> None:
            with pytest.raises(Busy, match="may still be recorded"):
                await keep(face.app.state.parts, [rows.order()])

        asyncio.run(wait())
        assert not pending.cancelled()
        pending.set_result((1,))


class Watched:
    """What the pulse looks at."""

    def __init__(self) -> None:
        self.beat = Beat(1, 10.0)
        self.looks = 0

    def __call__(self) -> Beat:
        self.looks += 1
        return self.beat


def test_all_listeners_hear_a_change_of_one_look() -> None:
    async def story() -> None:
        seen = Watched()
        pulse = Pulse(seen, every=0.005, heartbeat=5.0, most=10)
        streams = []
        for _ in range(5):
            pulse.enter()
            streams.append(pulse.beats())
        assert [await anext(stream) for stream in streams] == [Beat(1, 10.0)] * 5
        looks = seen.looks
        seen.beat = Beat(2, 10.0)
        assert [await anext(stream) for stream in streams] == [Beat(2, 10.0)] * 5
        assert seen.looks - looks < 5 + 5, "one watcher, not one a listener"
        await pulse.close()
        for stream in streams:
            assert [beat async for beat in stream] == []

    asyncio.run(asyncio.wait_for(story(), 10))


def test_a_quiet_stream_gives_a_sign_of_life() -> None:
    async def story() -> None:
        pulse = Pulse(Watched(), every=0.005, heartbeat=0.5, most=1)
        pulse.enter()
        stream = pulse.beats()
        assert await anext(stream) == Beat(1, 10.0)
        assert await anext(stream) is None
        await pulse.close()

    asyncio.run(asyncio.wait_for(story(), 10))


def test_listeners_that_go_in_the_middle_of_a_change_are_no_error() -> None:
    looks = itertools.count()

    async def story() -> None:
        pulse = Pulse(lambda: Beat(next(looks) // 3, 1.0), every=0.0005, heartbeat=0.05, most=100)

        async def listen() -> None:
            pulse.enter()
            try:
                async for _ in pulse.beats():
                    pass
            finally:
                pulse.leave()

        for visit in range(40):
            async with anyio.create_task_group() as room:
                for _ in range(30):
                    room.start_soon(listen)
                await asyncio.sleep(0.0005 * visit)
                room.cancel_scope.cancel()
        assert pulse.listeners == 0
        await pulse.close()

    asyncio.run(asyncio.wait_for(story(), 30))


def test_places_are_bounded_and_given_back() -> None:
    async def story() -> None:
        pulse = Pulse(Watched(), every=0.005, heartbeat=1.0, most=1)
        pulse.enter()
        with pytest.raises(Full):
            pulse.enter()
        pulse.leave()
        pulse.enter()
        assert pulse.listeners == 1
        await pulse.close()
        pulse.leave()
        with pytest.raises(Full):
            pulse.enter()

    asyncio.run(asyncio.wait_for(story(), 10))


def test_nobody_listening_nothing_is_looked_at() -> None:
    async def story() -> None:
        seen = Watched()
        pulse = Pulse(seen, every=0.001, heartbeat=1.0, most=1)
        await asyncio.sleep(0.02)
        assert seen.looks == 0
        pulse.enter()
        stream = pulse.beats()
        await anext(stream)
        pulse.leave()
        await asyncio.sleep(0.02)
        looks = seen.looks
        await asyncio.sleep(0.02)
        assert seen.looks == looks

    asyncio.run(asyncio.wait_for(story(), 10))


def test_what_nobody_signed_is_not_unpacked() -> None:
    """Two thousand characters unpack to two million: work for whoever answers, for nothing."""
    named = zlib.compress(b'["sf-4k7q2m"]')
    packed = base64.urlsafe_b64encode(named).decode().rstrip("=")
    with pytest.raises(LinkRefused) as refused:
        Sessions(lambda: [b"first-key-first-key-first-key-01"]).follow(f".{packed}.x", 0.0)
    assert refused.value.incident == ""
