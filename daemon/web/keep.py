"""Handing rows to the recorder: an answer goes out only after they are on disk."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import structlog

from daemon.incidents.records import Alert, Order
from daemon.log import ORDER_TAKEN
from daemon.web.parts import Parts
from daemon.web.problems import Busy


async def keep(parts: Parts, orders: Sequence[Order] = (), alerts: Sequence[Alert] = ()) -> tuple[int, ...]:
    """The orders' ids, once all rows are on disk. Raises `Busy`."""
    try:
        future = parts.record(orders, alerts)
    except Exception as error:
        # Whatever keeps the recorder from taking it: nothing was kept, and the sender has to know.
        raise Busy(f"not recorded, try again: {error}") from error
    ids = await _on_disk(parts, future)
    for number, order in zip(ids, orders, strict=False):
        structlog.get_logger().info(
            ORDER_TAKEN, order=number, kind=order.kind, who=order.who, via=order.via, incident=order.incident
        )
    return ids


async def _on_disk(parts: Parts, future: Future[tuple[int, ...]]) -> tuple[int, ...]:
    within = parts.limits.record_within
    if not await parts.handover.wait(future, within):
        raise Busy(f"not on disk after {within:g} s; it may still be recorded: look before trying again")
    try:
        return future.result()
    except Exception as error:
        raise Busy(f"not recorded, try again: {error}") from error
