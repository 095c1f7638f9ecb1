"""What every answer carries and every request is held to: headers of the browser's protection, size of the body."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from anyio import current_time, fail_after
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: browsers then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_COMMON = [(name.lower().encode(), text.encode()) for name, text in HEADERS.items()]
_CACHED = [*_COMMON, (b"cache-control", b"public, max-age=300")]
_FRESH = [*_COMMON, (b"cache-control", b"no-store")]


class TooLarge(HTTPException):
    """The body is larger than its route takes."""

    def __init__(self, most: int) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {most} bytes")


class TooSlow(HTTPException):
    """The body did not come in time; its connection is given to somebody else."""

    def __init__(self, within: float) -> None:
        said = f"the body did not come within {within:g} s"
        super().__init__(HTTPStatus.REQUEST_TIMEOUT, said, {"Connection": "close"})


class Guard:
    """Plain ASGI, so that streams pass through unbuffered. `most`: bytes of a body by path. `within`: seconds for one."""

    def __init__(self, app: ASGIApp, most: Callable[[str], int], within: float) -> None:
        self._app, self._most, self._within = app, most, within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = str(scope["path"])
        cached = path.startswith("/static/")

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", [])
                names = {name for name, _ in given}
                wanted = _CACHED if cached else _FRESH
                message = {**message, "headers": [*given, *(pair for pair in wanted if pair[0] not in names)]}
            await send(message)

        counted = _counted(receive, Headers(scope=scope), self._most(path), self._within)
        await self._app(scope, counted, dressed)


def _counted(receive: Receive, headers: Headers, most: int, within: float) -> Receive:
    """Stops at the first byte too many, before anything is parsed; a declared length is believed only when it lies.

    Many bodies have to be read before anybody knows who sends them, so who dribbles one is not waited for either.
    """
    declared = headers.get("content-length", "")
    seen, until, whole = 0, 0.0, False

    async def counted() -> Message:
        nonlocal seen, until, whole
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > most:
            raise TooLarge(most)
        if whole:  # what is waited for now is that the other side goes away
            return await receive()
        until = until or current_time() + within
        try:
            with fail_after(max(0.0, until - current_time())):
                message = await receive()
        except TimeoutError:
            raise TooSlow(within) from None
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                raise TooLarge(most)
        whole = not message.get("more_body", False)
        return message

    return counted
