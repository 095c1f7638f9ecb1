"""Whoever dribbles a request holds its connection for seconds at most; others are served meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from config.secrets import Secret
from daemon.detect.inbox import InboxSpec, PagerDutyInbox
from daemon.escalate.channels.shared import Shared, SlackApp
from daemon.store.store import Store
from daemon.web.server import Server, serve
from daemon.web.sessions import Sessions
from tests.fakes.face import Face
from tests.fakes.scene import NOW, SILENT


@pytest.fixture
def server(store: Store) -> Iterator[Server]:
    running = serve(Face(store, head_within=0.3, body_within=0.3).app, "127.0.0.1", 0)
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


@pytest.mark.parametrize("path", ["/a/", "/login", "/api/v1/callbacks/slack", "/api/v1/callbacks/pagerduty"])
def test_a_body_that_does_not_end_is_hung_up_on_wherever_nobody_has_shown_who_they_are(
    store: Store, path: str
) -> None:
    """Else a few hundred of them leave no connection to acknowledge by."""
    face = Face(store, body_within=0.3)
    face.inbox = InboxSpec(pagerduty=PagerDutyInbox(secret=Secret("pagerduty-secret")))
    face.shared = Shared(slack=SlackApp(signing_secret=Secret("slack-secret")))
    path += Sessions(lambda: face.keys).link(SILENT, "ana", 1, NOW) if path == "/a/" else ""
    running = serve(face.app, "127.0.0.1", 0)
    try:
        with closing(socket.create_connection(("127.0.0.1", running.port), timeout=10)) as slow:
            kind = "application/x-www-form-urlencoded"
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: 50\r\n\r\ndo="
            slow.sendall(head.encode())
            said = b""
            while data := slow.recv(4_000):
                said += data
    finally:
        running.stop()
    assert said.startswith(b"HTTP/1.1 408")
    assert face.record.orders == []
