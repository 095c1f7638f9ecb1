"""Whoever dribbles a request's head holds its connection for ten seconds at most; others are served meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from daemon.store.store import Store
from daemon.web.server import Server, serve
from tests.fakes.face import Face


@pytest.fixture
def server(store: Store) -> Iterator[Server]:
    running = serve(Face(store, head_within=0.3).app, "127.0.0.1", 0)
    yield running
    running.stop()


def test_a_head_that_does_not_end_is_hung_up_on(server: Server) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=5)) as slow:
        slow.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert slow.recv(100) == b""


def test_a_second_head_on_the_same_connection_has_to_come_in_time_too(server: Server) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=5)) as slow:
        slow.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert slow.recv(1000).startswith(b"HTTP/1.1 200")
        slow.sendall(b"GET /-/he")
        while data := slow.recv(1000):
            assert b"HTTP/1.1 4" not in data
