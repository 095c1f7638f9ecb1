"""The converter child, stopped and continued as the variant does it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.programs.convert_client import Converter

pytestmark = pytest.mark.live


@pytest.fixture
def converter(tmp_path: Path) -> Iterator[Converter]:
    one = Converter(tmp_path, timeout=5.0, timeout_stuck=0.02)
    yield one
    one.end()


def test_a_column_comes_back_converted_and_in_order(converter: Converter) -> None:
    assert converter.convert("mph_to_kmh", [0.0, 10.0, 100.0]) == [0.0, 16.093, 160.934]


def test_a_stopped_child_is_stuck_after_two_questions_and_its_late_answers_are_passed_over(
    converter: Converter,
) -> None:
    assert converter.convert("mph_to_kmh", [1.0]) == [1.609]
    os.kill(converter.child.pid, signal.SIGSTOP)
    converter.timeout = 0.05
    seen = [(converter.convert("mph_to_kmh", [value]), converter.stuck) for value in (2.0, 3.0)]
    assert seen == [(None, False), (None, True)]
    os.kill(converter.child.pid, signal.SIGCONT)
    converter.timeout_stuck = 5.0
    assert converter.convert("mph_to_kmh", [4.0]) == [6.437]
    assert not converter.stuck


def test_a_dead_child_stays_dead_and_gives_no_answer(converter: Converter) -> None:
    converter.child.kill()
    converter.child.wait()
    assert converter.convert("mph_to_kmh", [1.0]) is None
    assert converter.convert("mph_to_kmh", [1.0]) is None
    assert converter.stuck
