"""The contract of the HTTP door: what every caller may rely on, on the real door; the plain part on the fake too."""

from __future__ import annotations

import gzip
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.clock import SystemClock
from daemon.http.door import HttpDoor
from remediations.ports import Ambiguous, Http, Request, TooLarge, Unreachable
from tests.fakes.ports import FakeHttp, answer
from tests.fakes.server import RawServer, closed_port, reply, replying, serving

CLOCK = SystemClock()


@pytest.fixture
def door() -> Iterator[HttpDoor]:
    made = HttpDoor(CLOCK)
    yield made
    made.close()


def soon(seconds: float = 5.0) -> float:
    return CLOCK.monotonic() + seconds


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# ---- what the fake promises too ----

Answering = Callable[[int, bytes, str], tuple[Http, str, float]]


@pytest.fixture(params=["door", "fake"])
def answering(request: pytest.FixtureRequest) -> Iterator[Answering]:
    """Gives (http, address, a deadline in the near future) for a host with one answer to everything."""
    if request.param == "fake":

        def fake(status: int, body: bytes, headers: str) -> tuple[Http, str, float]:
            named = dict(line.split(": ") for line in headers.split("\r\n") if line)
            http = FakeHttp().on("GET", "http://there", answer(status, body, named))
            return http, "http://there/x", http.clock.monotonic() + 5

        yield fake
        return
    door = HttpDoor(CLOCK)
    servers: list[RawServer] = []

    def real(status: int, body: bytes, headers: str) -> tuple[Http, str, float]:
        servers.append(RawServer(replying(reply(status, body, headers))))
        return door, f"{servers[-1].url}/x", soon()

    yield real
    door.close()
    for server in servers:
        server.close()


def test_an_answer_comes_back_whole(answering: Answering) -> None:
    http, url, deadline = answering(404, b'{"state": "up"}', "X-Kind: a\r\n")
    response = http.send(Request("GET", url), deadline=deadline)
    assert (response.status, response.body, response.headers["X-Kind"]) == (404, b'{"state": "up"}', "a")


def test_an_answer_over_the_cap_is_refused_and_one_at_the_cap_is_not(answering: Answering) -> None:
    http, url, deadline = answering(200, b"x" * 1000, "")
    assert len(http.send(Request("GET", url), deadline=deadline, max_bytes=1000).body) == 1000
    with pytest.raises(TooLarge):
        http.send(Request("GET", url), deadline=deadline, max_bytes=999)


def test_a_redirect_is_an_answer_and_is_not_followed(answering: Answering) -> None:
    http, url, deadline = answering(302, b"", "Location: http://127.0.0.1:1/elsewhere\r\n")
    assert http.send(Request("GET", url), deadline=deadline).status == 302


def test_nothing_is_sent_once_the_deadline_has_passed(answering: Answering) -> None:
    http, url, deadline = answering(200, b"", "")
    with pytest.raises(Unreachable):
        http.send(Request("GET", url), deadline=deadline - 10)


# ---- what only a real door can break ----


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(lambda: f"http://127.0.0.1:{closed_port()}/", id="nobody listens"),
        pytest.param(lambda: "http://no-such-host.invalid/", id="the name is not known"),
        pytest.param(lambda: "unix:///no/such/socket", id="the socket is not there"),
        pytest.param(lambda: "ftp://127.0.0.1/", id="a scheme nobody carries"),
        pytest.param(lambda: "http://[not-an-address/", id="no address at all"),
    ],
)
def test_what_was_never_sent_is_unreachable(door: HttpDoor, address: Callable[[], str]) -> None:
    with pytest.raises(Unreachable) as caught:
        door.send(Request("POST", address(), body=b"x"), deadline=soon())
    assert not caught.value.sent


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(
            lambda c, _r, _s: c.shutdown(socket.SHUT_RDWR), "hangs up", id="hangs up without a word"
        ),
        pytest.param(
            replying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "half", id="stops half way"
        ),
        pytest.param(replying(b"not http at all\r\n\r\n"), "no HTTP", id="speaks something else"),
    ],
)
def test_what_was_sent_and_not_answered_is_ambiguous(door: HttpDoor, behaviour: object, reason: str) -> None:
    def then_close(connection: socket.socket, data: bytes, stop: threading.Event) -> None:
        behaviour(connection, data, stop)  # type: ignore[operator]  # rows of the table
        connection.close()

    with serving(then_close) as server, pytest.raises(Ambiguous) as caught:
        door.send(Request("POST", server.url, body=b"x"), deadline=soon())
    assert caught.value.sent, reason


def drip(head: bytes, piece: bytes, every: float) -> Callable[[socket.socket, bytes, threading.Event], None]:
    def behave(connection: socket.socket, _data: bytes, stop: threading.Event) -> None:
        connection.sendall(head)
        while not stop.wait(every):
            connection.sendall(piece)

    return behave


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(lambda _c, _r, stop: stop.wait(), id="silence"),
        pytest.param(
            drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x", 0.02), id="a drip of the body"
        ),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", 0.02), id="a drip of one header"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.05), id="a drip of many headers"),
        pytest.param(
            drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.02),
            id="a drip of chunks",
        ),
    ],
)
def test_the_deadline_is_total_however_the_answer_drips(door: HttpDoor, behaviour: object) -> None:
    with serving(behaviour) as server:  # type: ignore[arg-type]  # rows of the table
        started = time.monotonic()
        with pytest.raises(Ambiguous, match="deadline"):
            door.send(Request("GET", server.url), deadline=started + 0.5)
        assert 0.4 < time.monotonic() - started < 5, "without the deadline it would not end"


def test_the_deadline_holds_while_the_request_cannot_be_written(door: HttpDoor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts in the backlog, never reads
        started = time.monotonic()
        with pytest.raises(Ambiguous, match="deadline"):
            door.send(
                Request("POST", f"http://127.0.0.1:{listener.getsockname()[1]}/", body=b"x" * 40_000_000),
                deadline=started + 0.5,
            )
        assert time.monotonic() - started < 5, "without the deadline it would not end"


def test_a_small_packed_answer_does_not_unfold_past_the_cap(door: HttpDoor) -> None:
    packed = gzip.compress(b"\0" * 50_000_000)
    with (
        serving(replying(reply(200, packed, "Content-Encoding: gzip\r\n"))) as server,
        pytest.raises(TooLarge),
    ):
        door.send(Request("GET", server.url), deadline=soon(), max_bytes=1_000_000)


def test_a_packed_answer_is_unpacked(door: HttpDoor) -> None:
    with serving(replying(reply(200, gzip.compress(b"metrics"), "Content-Encoding: gzip\r\n"))) as server:
        assert door.send(Request("GET", server.url), deadline=soon()).body == b"metrics"


def test_questions_share_a_connection_and_orders_open_their_own(door: HttpDoor) -> None:
    with serving(replying(reply(200, b"ok"))) as server:
        for _ in range(3):
            door.send(Request("GET", server.url), deadline=soon())
        assert server.connections == 1
        for _ in range(2):
            door.send(Request("POST", server.url, body=b"{}"), deadline=soon())
        assert server.connections == 3


def test_after_a_broken_exchange_the_next_one_works(door: HttpDoor) -> None:
    broken = threading.Event()

    def once_broken(connection: socket.socket, _data: bytes, _stop: threading.Event) -> None:
        if broken.is_set():
            connection.sendall(reply(200, b"ok"))
        else:
            broken.set()
            connection.shutdown(socket.SHUT_RDWR)

    with serving(once_broken) as server:
        with pytest.raises(Ambiguous):
            door.send(Request("GET", server.url), deadline=soon())
        assert door.send(Request("GET", server.url), deadline=soon()).body == b"ok"


def test_the_request_arrives_as_given(door: HttpDoor) -> None:
    with serving(replying(reply())) as server:
        request = Request(
            "POST",
            f"{server.url}/a?b=c",
            headers={"Idempotency-Key": "k-1"},
            body=b"{}",
            basic_auth=("u", "p"),
        )
        door.send(request, deadline=soon())
        seen = server.requests[0]
    assert seen.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"Idempotency-Key: k-1\r\n" in seen
    assert b"Authorization: Basic dTpw\r\n" in seen
    assert seen.endswith(b"\r\n\r\n{}")


def test_a_header_cannot_smuggle_another(door: HttpDoor) -> None:
    with serving(replying(reply())) as server:
        with pytest.raises(Unreachable):
            door.send(Request("GET", server.url, headers={"X-A": "b\r\nX-Evil: 1"}), deadline=soon())
        assert server.requests == []


def test_neither_proxy_nor_netrc_of_the_environment_is_used(door: HttpDoor, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\n")
    before = dict(os.environ)
    os.environ.update(http_proxy=f"http://127.0.0.1:{closed_port()}", NETRC=str(netrc), no_proxy="")
    try:
        with serving(replying(reply(200, b"direct"))) as server:
            assert door.send(Request("GET", server.url), deadline=soon()).body == b"direct"
            assert b"Authorization" not in server.requests[0]
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_cookies_are_not_kept(door: HttpDoor) -> None:
    with serving(replying(reply(200, b"", "Set-Cookie: a=b\r\n"))) as server:
        door.send(Request("GET", server.url), deadline=soon())
        door.send(Request("GET", server.url), deadline=soon())
        assert b"Cookie" not in server.requests[1]


@pytest.mark.parametrize("name", ["s.sock", "With Capitals%2F.sock"])
def test_a_socket_in_the_file_system_is_an_address(door: HttpDoor, tmp_path: Path, name: str) -> None:
    with serving(replying(reply(200, b"ok")), tmp_path / name) as server:
        for method in ("GET", "POST"):
            request = Request(method, server.url, path="/RPC2")
            assert door.send(request, deadline=soon()).body == b"ok"
        assert [seen.split(b" HTTP")[0] for seen in server.requests] == [b"GET /RPC2", b"POST /RPC2"]
        assert b"Host: localhost\r\n" in server.requests[0]


def test_many_threads_keep_their_deadlines_apart(door: HttpDoor) -> None:
    def slow_if_asked(connection: socket.socket, data: bytes, stop: threading.Event) -> None:
        if b"/slow" in data:
            stop.wait(3)
        else:
            connection.sendall(reply(200, b"ok"))

    with serving(slow_if_asked) as server, ThreadPoolExecutor(16) as pool:

        def ask(number: int) -> str:
            slow = number % 2 == 0
            try:
                door.send(
                    Request("GET", f"{server.url}/{'slow' if slow else 'fast'}"),
                    deadline=soon(0.3 if slow else 5.0),
                )
            except Ambiguous:
                return "late"
            return "ok"

        assert list(pool.map(ask, range(16))) == ["late", "ok"] * 8


def test_descriptors_stay_flat_over_failures(door: HttpDoor) -> None:
    with serving(lambda c, _r, _s: c.shutdown(socket.SHUT_RDWR)) as server:

        def fail() -> None:
            for url in (server.url, f"http://127.0.0.1:{closed_port()}/"):
                with pytest.raises((Ambiguous, Unreachable)):
                    door.send(Request("POST", url, body=b"x"), deadline=soon())

        fail()
        before = descriptors()
        for _ in range(50):
            fail()
        assert descriptors() <= before + 2  # the server's side may close a moment later
