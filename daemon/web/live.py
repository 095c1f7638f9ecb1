"""`/events`: says that something changed, as server-sent events; what changed is read from the page itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from daemon.desk.tokens import Caller
from daemon.web.access import may_read
from daemon.web.parts import Parts, parts_of
from daemon.web.pulse import Full

router = APIRouter(include_in_schema=False)
RETRY_MS = 3000


@router.get("/events")
async def events(request: Request, caller: Annotated[Caller, Depends(may_read)]) -> StreamingResponse:
    """One `change` at once and one at every change; comments in between. 503 when too many listen."""
    del caller
    parts = parts_of(request)
    try:
        parts.pulse.enter()
    except Full:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "too many listeners: reload instead") from None
    return StreamingResponse(
        _lines(parts), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _lines(parts: Parts) -> AsyncIterator[str]:
    try:
        yield f"retry: {RETRY_MS}\n\n"
        async for beat in parts.pulse.beats():
            if beat is None:
                yield ": alive\n\n"
            else:
                yield f"event: change\ndata: {beat.seq if beat.seq is not None else '-'} {beat.at or 0:.3f}\n\n"
    finally:
        parts.pulse.leave()
