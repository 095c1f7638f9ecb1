"""The event stream over a real connection: what it says, how many may listen, and that it ends."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from daemon.errors import FleetmendError
from daemon.store.store import Store
from daemon.web.server import Server, serve
from tests.fakes import rows
from tests.fakes.face import Face
from tests.integration.web.conftest import bearing

pytestmark = pytest.mark.live


@pytest.fixture
def face(store: Store) -> Face:
    return Face(store, listeners=2, look_every=0.02, heartbeat=0.2)


@pytest.fixture
def served(face: Face) -> Iterator[Server]:
    server = serve(face.app, "127.0.0.1", 0)
    yield server
    server.stop()


def listening(served: Server) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    connection.request("GET", "/events", headers=bearing("viewer"))
    return connection, connection.getresponse()


def next_line(stream: http.client.HTTPResponse, start: str) -> str:
    """The next line that begins so."""
    while True:
        line = stream.readline().decode()
        assert line, "the stream ended"
        if line.startswith(start):
            return line.strip()


def test_a_listener_hears_every_change_and_signs_of_life_between(
    face: Face, store: Store, served: Server
) -> None:
    connection, stream = listening(served)
    with closing(connection):
        assert stream.headers["content-type"].startswith("text/event-stream")
        first = next_line(stream, "data:")
        assert next_line(stream, ":") == ": alive"
        with store.write() as uow:
            uow.timeline.append([rows.event("news")])
        second = next_line(stream, "data:")
        assert second != first
        assert face.live is not None
        face.live = replace(face.live, at=face.live.at + 15)
        third = next_line(stream, "data:")
        assert third != second
        assert "news" not in second + third, "what changed is read from the page, by those who may"


def test_only_so_many_listen_and_a_place_is_free_again(face: Face, served: Server) -> None:
    open_ones = [listening(served) for _ in range(2)]
    for _, stream in open_ones:
        next_line(stream, "data:")
    refused, answer = listening(served)
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/problem+json"
    refused.close()
    for connection, stream in open_ones:
        stream.close()
        connection.close()
    waiting = threading.Event()
    for _ in range(100):
        again, answer = listening(served)
        again.close()
        if answer.status == 200:
            break
        waiting.wait(0.05)
    assert answer.status == 200


def test_stopping_ends_the_streams_and_frees_the_address(face: Face) -> None:
    server = serve(face.app, "127.0.0.1", 0)
    connection, stream = listening(server)
    next_line(stream, "data:")
    server.stop()
    assert not server.alive
    while stream.readline():
        pass
    connection.close()
    again = serve(Face(face.store).app, "127.0.0.1", server.port)
    again.stop()


def test_an_address_that_is_taken_is_said_at_once(face: Face, served: Server) -> None:
    with pytest.raises(FleetmendError, match="cannot listen on"):
        serve(face.app, "127.0.0.1", served.port)


def test_an_answer_does_not_wait_for_an_acknowledgement(served: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    took = []
    for _ in range(30):
        begin = time.perf_counter()
        connection.request("GET", "/-/healthy")
        connection.getresponse().read()
        took.append(time.perf_counter() - begin)
    connection.close()
    assert min(took[1:]) < 0.03, "a held-back packet costs 40 ms, every time"
