"""The door itself: `HttpDoor` fits `remediations.ports.Http`.

What requests alone does not give, and this door does:

- A **total** deadline. Every read and write of a socket gets only the time that is left, so a server that sends a
  byte now and then cannot hold a worker. Only the resolver's own time is outside of it.
- Knowledge of whether anything was **written**. Nothing written is `Unreachable` (safe to try again), something
  written and not answered is `Ambiguous`. Guessing that from exception types is wrong for TLS and kept connections.
- Methods that may change something open a connection of their own: a kept-alive one that the peer has just closed
  would make a harmless refusal look ambiguous.
- A byte cap on the decoded body, no redirects, no proxy or `.netrc` from the environment, no cookies kept.
- `unix:///path/to.sock` addresses, with the path of the resource in `Request.path`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests
import urllib3

from daemon.http.adapters import UNIX, address, session
from daemon.http.budget import budget, written
from remediations.ports import Ambiguous, Clock, Http, PortError, Request, Response, TooLarge, Unreachable

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
USER_AGENT = "fleetmend"
CHUNK = 65_536
POOL = 32


class HttpDoor:
    """Fits `remediations.ports.Http`. Safe to use from many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept = session(POOL)

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        """Send once, never retry. Raises `Unreachable`, `Ambiguous` or `TooLarge`."""
        started = self._clock.monotonic()
        where = f"{request.method} {_shown(request)}"
        if deadline <= started:
            raise Unreachable(f"{where}: the deadline had passed before anything was sent")
        with self._session_for(request.method) as way, budget(self._clock, deadline):
            try:
                status, headers, body = self._exchange(way, request, max_bytes)
            except TooLarge as error:
                raise TooLarge(f"{where}: {error}") from None
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise self._what_happened(where, error, deadline) from error
        return Response(status, headers, body, self._clock.monotonic() - started)

    def close(self) -> None:
        """Close the kept connections."""
        self._kept.close()

    @contextmanager
    def _session_for(self, method: str) -> Iterator[requests.Session]:
        if method.upper() in SAFE_METHODS:
            yield self._kept
            return
        fresh = session(1)
        try:
            yield fresh
        finally:
            fresh.close()

    def _exchange(
        self, way: requests.Session, request: Request, max_bytes: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        answer = way.request(
            request.method,
            address(request),
            headers={"User-Agent": USER_AGENT, **request.headers},
            data=request.body,
            auth=request.basic_auth,
            verify=request.tls.get("ca") or True,
            cert=_client_certificate(request.tls),
            timeout=None,  # every socket operation asks the budget instead
            allow_redirects=False,
            stream=True,
        )
        body = bytearray()
        try:
            while chunk := answer.raw.read(CHUNK, decode_content=True):
                body += chunk
                if len(body) > max_bytes:
                    answer.raw.close()
                    raise TooLarge(f"the answer is larger than {max_bytes} bytes")
        finally:
            answer.close()
        return answer.status_code, dict(answer.headers), bytes(body)

    def _what_happened(self, where: str, error: Exception, deadline: float) -> PortError:
        late = self._clock.monotonic() >= deadline
        reason = "no answer within the deadline" if late else _reason(error)
        if written():
            return Ambiguous(f"{where}: {reason}")
        return Unreachable(f"{where}: {'not reached within the deadline' if late else reason}")


def _shown(request: Request) -> str:
    """The address for messages: without query and user, which hold tokens more often than facts."""
    if request.url.startswith(UNIX):
        return f"{request.url}{request.path}"
    return re.sub(r"//[^/@]*@", "//", request.url).partition("?")[0]


def _client_certificate(tls: Mapping[str, str]) -> tuple[str, str] | str | None:
    certificate, key = tls.get("cert"), tls.get("key")
    if certificate and key:
        return certificate, key
    return certificate or None


def _reason(error: BaseException) -> str:
    """The innermost cause in words; the layers around it repeat the address and add nothing."""
    seen = {id(error)}
    while (inner := error.__cause__ or error.__context__) is not None and id(inner) not in seen:
        seen.add(id(inner))
        error = inner
    return f"{type(error).__name__}: {error}"


def _fits(door: HttpDoor) -> Http:
    """The type checker proves here that the door fits its port."""
    return door
