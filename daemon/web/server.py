"""Serving the application: uvicorn on a thread of its own, on a socket that is bound before anyone is told."""

from __future__ import annotations

import asyncio
import socket
import threading
from functools import partial

import uvicorn
from fastapi import FastAPI

from daemon.errors import FleetmendError
from daemon.web.parts import Parts
from daemon.web.protocol import HeadInTime

STOP_WITHIN = 5.0
BACKLOG = 512
KEEP_ALIVE = 15


class Server:
    """`port` is the one that was given, or found free for 0."""

    def __init__(self, app: FastAPI, bound: socket.socket) -> None:
        parts: Parts = app.state.parts
        self.port: int = bound.getsockname()[1]
        self._parts, self._bound = parts, bound
        config = uvicorn.Config(
            app,
            http=partial(HeadInTime, head_within=parts.limits.head_within),  # type: ignore[arg-type]  # called, never subclassed
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nobody may claim to be on loopback
            lifespan="on",
            ws="none",
            limit_concurrency=parts.limits.connections,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Take no more requests, send listeners home, wait a little for what is under way."""
        self._server.should_exit = True
        if self._loop is not None and self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._parts.pulse.close(), self._loop)
        self._thread.join(STOP_WITHIN)
        self._bound.close()

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._bound])

        asyncio.run(serve())


def serve(app: FastAPI, host: str, port: int) -> Server:
    """Listen and serve at once. Raises `FleetmendError` when the address cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host.strip("[]"), port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise FleetmendError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    # Accepted connections inherit it. Without, each answer waits 40 ms for the reader's delayed acknowledgement.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = Server(app, bound)
    server.start()
    return server
