"""Pools of real threads: a job past its deadline is given up, its slot replaced, its late answer dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Empty, SimpleQueue

import pytest

from daemon.incidents.change import Job
from daemon.loop.messages import Message, Tick
from daemon.loop.pools import Full, ThreadPool

DEADLINE = 100.0


def job(key: str) -> Job:
    return Job(key, "action", "-", DEADLINE, {})


class Workshop:
    """`work` answers with the job's key, once the job was let go."""

    def __init__(self) -> None:
        self.answers: SimpleQueue[Message] = SimpleQueue()
        self.gates: dict[str, threading.Event] = {}
        self.pool = ThreadPool("hands", 2, self.work, self.answers.put)

    def work(self, job: Job) -> Message:
        gate = self.gates.get(job.key)
        if gate is not None:
            gate.wait(10)
        return Tick(job.key)

    def hang(self, key: str) -> None:
        self.gates[key] = threading.Event()
        self.pool.submit(job(key))

    def said(self) -> str:
        answer = self.answers.get(timeout=10)
        assert isinstance(answer, Tick)
        return answer.name


@pytest.fixture
def shop() -> Iterator[Workshop]:
    made = Workshop()
    yield made
    for gate in made.gates.values():
        gate.set()
    made.pool.close()


def test_a_job_is_done_and_its_slot_free_again(shop: Workshop) -> None:
    shop.pool.submit(job("one"))
    assert shop.said() == "one"
    assert shop.pool.free() == 2


def test_there_is_no_queue(shop: Workshop) -> None:
    shop.hang("one")
    shop.hang("two")
    assert shop.pool.free() == 0
    with pytest.raises(Full):
        shop.pool.submit(job("three"))


def test_a_job_past_its_deadline_is_told_once_and_its_slot_replaced(shop: Workshop) -> None:
    shop.hang("late")
    assert shop.pool.overdue(DEADLINE) == []
    assert [late.key for late in shop.pool.overdue(DEADLINE + 0.1)] == ["late"]
    assert shop.pool.overdue(DEADLINE + 10) == []
    assert shop.pool.free() == 2
    assert shop.pool.abandoned == 1
    shop.pool.submit(job("next"))
    assert shop.said() == "next"


def test_the_late_answer_of_a_job_that_was_given_up_is_dropped(shop: Workshop) -> None:
    shop.hang("late")
    shop.pool.overdue(DEADLINE + 1)
    (hanging,) = [slot.thread for slot in shop.pool._lost]
    shop.gates["late"].set()
    hanging.join(10)
    assert not hanging.is_alive()
    with pytest.raises(Empty):
        shop.answers.get_nowait()
    assert shop.pool.abandoned == 0


def test_any_number_of_hanging_jobs_leaves_room_for_the_next(shop: Workshop) -> None:
    for number in range(6):
        shop.hang(f"late-{number}")
        shop.pool.overdue(DEADLINE + 1)
    assert shop.pool.abandoned == 6
    assert shop.pool.free() == 2
