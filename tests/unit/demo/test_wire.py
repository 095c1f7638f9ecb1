"""The small HTTP pair, against itself and against an ordinary client."""

import json
import socket
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from demo.settings import free_ports
from demo.wire import Answer, Call, NoAnswer, NoConnection, Peer, Server

HANG = threading.Event()


def answer(call: Call) -> Answer:
    if call.path == "/hang":
        HANG.wait(30.0)
    if call.path == "/gone":
        return Answer(hang_up=True)
    return Answer(200, {"method": call.method, "path": call.path, "query": call.query, "body": call.json()})


@pytest.fixture
def port() -> Iterator[int]:
    chosen = free_ports(["one"])["one"]
    server = Server(chosen, answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield chosen
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def peer(port: int) -> Iterator[Peer]:
    one = Peer(port, 1.0)
    yield one
    one.close()


def test_a_call_comes_back_on_one_kept_connection(peer: Peer) -> None:
    for number in range(3):
        status, content = peer.post(f"/a%20b?n={number}", {"x": number})
        assert status == 200
        assert content == {
            "method": "POST",
            "path": "/a b",
            "query": {"n": str(number)},
            "body": {"x": number},
        }


def test_an_ordinary_client_is_served(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/a?b=c", timeout=20) as found:
        assert json.load(found)["query"] == {"b": "c"}


def test_no_answer_in_time_and_a_line_that_is_hung_up_are_told_apart(peer: Peer) -> None:
    with pytest.raises(NoAnswer):
        peer.get("/hang")
    with pytest.raises(NoConnection):
        peer.get("/gone")
    assert peer.get("/after")[0] == 200
    HANG.set()


def test_nobody_listening_is_no_connection() -> None:
    with pytest.raises(NoConnection):
        Peer(free_ports(["one"])["one"], 0.2).get("/")


@pytest.mark.parametrize(
    ("request_text", "status", "why"),
    [
        (b"nonsense\r\n\r\n", 400, "no request line"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411, "a body has a length"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413, "a body is bounded"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 413, "a length is a number"),
    ],
)
def test_what_is_no_request_is_refused(port: int, request_text: bytes, status: int, why: str) -> None:
    with socket.create_connection(("127.0.0.1", port), 20) as line:
        line.sendall(request_text)
        assert line.recv(1000).split()[1] == str(status).encode(), why
