"""Handover: coroutines that wait for another thread's answers are all woken, and none waits longer than it said."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

from daemon.web.handover import Handover


def test_answers_of_another_thread_wake_everyone_whatever_their_order() -> None:
    """Two thousand waiters, answered in bursts while others come: a lost wake-up would cost its waiter the deadline."""

    async def wait_for_all() -> list[bool]:
        handover = Handover()
        futures: list[Future[int]] = [Future() for _ in range(2_000)]
        waiters = [asyncio.ensure_future(handover.wait(future, 20.0)) for future in futures]

        def answer() -> None:
            for number, future in enumerate(futures):
                future.set_result(number)

        await asyncio.sleep(0)
        thread = threading.Thread(target=answer)
        thread.start()
        told = await asyncio.gather(*waiters)
        thread.join()
        return told

    assert all(asyncio.run(wait_for_all()))


def test_one_that_is_answered_already_is_not_waited_for() -> None:
    done: Future[int] = Future()
    done.set_result(1)
    assert asyncio.run(Handover().wait(done, 20.0))


def test_giving_up_says_so_and_leaves_the_future_alone() -> None:
    pending: Future[int] = Future()

    async def wait() -> bool:
        return await Handover().wait(pending, 0.01)

    assert not asyncio.run(wait())
    assert not pending.cancelled()
    pending.set_result(1)  # to nobody, whose event loop is closed


def test_a_waiter_that_went_away_disturbs_nobody() -> None:
    async def leave() -> bool:
        handover, first, second = Handover(), Future[int](), Future[int]()
        gone = asyncio.ensure_future(handover.wait(first, 20.0))
        stays = asyncio.ensure_future(handover.wait(second, 20.0))
        await asyncio.sleep(0)
        gone.cancel()
        first.set_result(1)
        second.set_result(2)
        return await stays

    assert asyncio.run(leave())
