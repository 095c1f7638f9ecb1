"""Shortcut: routes that are asked by the thousand are answered before the framework looks for them.

Finding a route, resolving its dependencies and unwinding its stacks of exits cost more than taking an alert. The
framework has the same routes, for its OpenAPI document and for every other method.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.errors import FleetmendError
from daemon.web import problems

Take = Callable[[Request], Awaitable[Response]]


class Shortcut:
    """Plain ASGI, inside the guard: a POST to one of `paths` goes to `take`, whose errors are answered as all others."""

    def __init__(self, app: ASGIApp, paths: Collection[str], take: Take) -> None:
        self._app, self._paths, self._take = app, paths, take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in self._paths or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._take(request)
        except (HTTPException, FleetmendError) as error:
            response = problems.answer(request, error)
        await response(scope, receive, send)
