"""Handing rows to the recorder: an answer goes out only after they are on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

import structlog

from daemon.incidents.records import Alert, Order
from daemon.log import ORDER_TAKEN
from daemon.store.store import Recorded
from daemon.web.parts import Parts
from daemon.web.problems import Busy


async def keep(parts: Parts, orders: Sequence[Order] = (), alerts: Sequence[Alert] = ()) -> Recorded:
    """The rows' ids, once they are on disk. Raises `Busy`."""
    try:
        future = parts.record(orders, alerts)
    except Exception as error:
        # Whatever keeps the recorder from taking it: nothing was kept, and the sender has to know.
        raise Busy(f"not recorded, try again: {error}") from error
    ids = await _on_disk(future, parts.limits.record_within)
    for number, order in zip(ids.orders, orders, strict=False):
        structlog.get_logger().info(
            ORDER_TAKEN, order=number, kind=order.kind, who=order.who, via=order.via, incident=order.incident
        )
    return ids


async def _on_disk(future: Future[Recorded], within: float) -> Recorded:
    waiting = asyncio.wrap_future(future)
    waiting.add_done_callback(_heard)
    # `wait` cancels nothing: giving up, or a sender that hangs up, must not take from the recorder what it writes.
    done, _ = await asyncio.wait({waiting}, timeout=within)
    if not done:
        raise Busy(f"not on disk after {within:g} s; it may still be recorded: look before trying again")
    try:
        return waiting.result()
    except Exception as error:
        raise Busy(f"not recorded, try again: {error}") from error


def _heard(future: asyncio.Future[Recorded]) -> None:
    """An error nobody waits for any more is no surprise."""
    if not future.cancelled():
        future.exception()
