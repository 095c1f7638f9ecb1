"""HTTP as uvicorn speaks it, with a deadline for the head: who dribbles one byte a second holds no connection."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class HeadInTime(H11Protocol):
    """`head_within`: seconds from the connection, or from the first byte on. Between requests uvicorn's own keep-alive
    deadline holds, which ends with the first byte.
    """

    _late: asyncio.TimerHandle | None = None

    def __init__(self, *, head_within: float, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._head_within = head_within

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class has it
        super().connection_made(transport)
        self._late = self.loop.call_later(self._head_within, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self._serving:
            self._in_time()
        elif self._late is None:
            self._late = self.loop.call_later(self._head_within, self._give_up)

    @property
    def _serving(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        if not self._serving:
            self.transport.close()
