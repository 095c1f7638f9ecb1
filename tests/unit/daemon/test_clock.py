from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.clock import SystemClock, parse_rfc3339, rfc3339


@pytest.mark.parametrize(
    ("instant", "text", "why"),
    [
        (0.0, "1970-01-01T00:00:00.000Z", "milliseconds are always there, so texts sort"),
        (1_767_600_000.5, "2026-01-05T08:00:00.500Z", "UTC whatever the machine's zone"),
        (1_709_164_799.9996, "2024-02-28T23:59:59.999Z", "cut, not rounded into the next day"),
    ],
)
def test_an_instant_has_one_text(instant: float, text: str, why: str) -> None:
    assert rfc3339(instant) == text, why


@given(st.integers(0, 4_000_000_000_000))
def test_text_and_instant_invert_each_other_to_the_millisecond(milliseconds: int) -> None:
    assert abs(parse_rfc3339(rfc3339(milliseconds / 1000)) - milliseconds / 1000) < 0.0011


def test_an_offset_is_honoured() -> None:
    assert parse_rfc3339("2026-01-05T10:00:00+02:00") == parse_rfc3339("2026-01-05T08:00:00Z")


@pytest.mark.parametrize("text", ["2026-01-05T08:00:00", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_a_text_without_offset_or_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"offset|format|month"):
        parse_rfc3339(text)


def test_the_monotonic_clock_does_not_step_back() -> None:
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(1000)]
    assert readings == sorted(readings)
