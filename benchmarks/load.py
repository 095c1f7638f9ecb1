"""A load generator: single POSTs on so many keep-alive connections at once, one thread, plain sockets."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

LENGTH = b"content-length:"


@dataclass(slots=True)
class Connection:
    """One request at a time; `answer` is what has come of the present one."""

    socket: socket.socket
    answer: bytes = b""


def per_second(
    port: int, path: str, bodies: Iterator[bytes], connections: int, seconds: float
) -> tuple[float, int]:
    """(answers with status 200 a second, how many). Raises `RuntimeError` on any other answer."""
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        one = socket.create_connection(("127.0.0.1", port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(one, selectors.EVENT_READ, Connection(one))
    began = time.perf_counter()
    for key in list(selector.get_map().values()):
        key.data.socket.sendall(request(path, next(bodies)))
    open_ones, good = connections, 0
    while open_ones:
        for key, _ in selector.select():
            connection: Connection = key.data
            connection.answer += connection.socket.recv(65536)
            if not complete(connection.answer):
                continue
            if b" 200 " not in connection.answer[:16]:
                raise RuntimeError(connection.answer[:300].decode(errors="replace"))
            good += 1
            connection.answer = b""
            if time.perf_counter() - began < seconds:
                connection.socket.sendall(request(path, next(bodies)))
            else:
                selector.unregister(connection.socket)
                connection.socket.close()
                open_ones -= 1
    return good / (time.perf_counter() - began), good


def request(path: str, body: bytes) -> bytes:
    """The bytes of one POST."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def complete(answer: bytes) -> bool:
    """Whether head and body are there. Raises `RuntimeError` when the connection ended early."""
    if not answer:
        raise RuntimeError("the connection was closed")
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    place = head.lower().find(LENGTH)
    length = int(head[place + len(LENGTH) :].split(b"\r\n", 1)[0])
    return len(body) >= length
