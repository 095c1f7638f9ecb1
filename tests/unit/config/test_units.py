"""Units: what people write means what they think, and a slip is refused with a remedy."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.problems import Wrong
from config.section import Section
from config.units import (
    MAX_DURATION,
    Budget,
    Duration,
    OfLast,
    Share,
    Size,
    Threshold,
    TimeOfDay,
    format_duration,
    format_share,
    format_size,
    parse_duration,
    parse_share,
    parse_size,
    parse_threshold,
)


@pytest.mark.parametrize(
    ("text", "seconds", "reason"),
    [
        ("15s", 15.0, "seconds"),
        ("5m", 300.0, "minutes, not months"),
        ("1h", 3600.0, "hours"),
        ("7d", 604800.0, "days"),
        ("1w", 604800.0, "weeks"),
        ("500ms", 0.5, "ms is read before m"),
        ("1h30m", 5400.0, "combined, large to small"),
        ("1.5h", 5400.0, "a fraction"),
        ("0s", 0.0, "no hold at all"),
        (0, 0.0, "zero needs no unit"),
        ("0", 0.0, "nor when quoted"),
    ],
)
def test_a_duration_is_read_as_seconds(text: object, seconds: float, reason: str) -> None:
    assert parse_duration(text) == seconds, reason


@pytest.mark.parametrize(
    ("text", "word", "reason"),
    [
        (300, "unit", "a bare number says nothing: seconds, minutes, milliseconds?"),
        (1.5, "unit", "a fraction neither"),
        ("300", "length of time", "quoted likewise"),
        ("5 m", "length of time", "no space between number and unit"),
        ("-5m", "length of time", "no time runs backwards"),
        ("30m1h", "order", "small before large is a slip"),
        ("1h1h", "repeated", "twice the same unit is a slip"),
        ("5M", "length of time", "capitals could mean months"),
        ("20000d", "ten years", "longer than any hold is a slip of the unit"),
        ("", "length of time", "empty"),
        (None, "nothing", "left empty"),
        (True, "length of time", "a flag is no time"),
        ("１s", "length of time", "digits are ASCII digits"),
    ],
)
def test_a_slip_in_a_duration_is_refused_with_a_remedy(text: object, word: str, reason: str) -> None:
    with pytest.raises(Wrong) as caught:
        parse_duration(text)
    assert word in str(caught.value), reason
    assert caught.value.hint, reason


@given(st.integers(min_value=0, max_value=int(MAX_DURATION * 1000)))
def test_a_duration_survives_being_written_and_read(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(
        milliseconds / 1000, abs=1e-6
    )


@pytest.mark.parametrize(
    ("seconds", "text", "reason"),
    [
        (5400.0, "1h30m", "combined"),
        (604800.0, "1w", "whole weeks"),
        (691200.0, "8d", "not 1w1d"),
        (0.0, "0s", "zero"),
        (0.0004, "0s", "below a millisecond"),
        (0.25, "250ms", "below a second"),
    ],
)
def test_a_duration_is_written_shortly(seconds: float, text: str, reason: str) -> None:
    assert format_duration(seconds) == text, reason


@pytest.mark.parametrize(
    ("text", "share", "reason"),
    [
        ("34%", 0.34, "percent"),
        ("0.5%", 0.005, "a fraction of a percent"),
        ("100 %", 1.0, "a space is a habit"),
        (0.34, 0.34, "a fraction is written as one"),
        (0, 0.0, "nothing"),
    ],
)
def test_a_share_is_read(text: object, share: float, reason: str) -> None:
    assert parse_share(text) == pytest.approx(share), reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (34, "34 of what?"),
        (1, "1 is 1 % or all"),
        ("101%", "more than all"),
        ("-1%", "less than none"),
        (True, "a flag"),
    ],
)
def test_a_share_that_could_be_misread_is_refused(text: object, reason: str) -> None:
    with pytest.raises(Wrong):
        parse_share(text)
    assert reason


@given(st.integers(min_value=0, max_value=10**6))
def test_a_share_survives_being_written_and_read(parts: int) -> None:
    assert parse_share(format_share(parts / 10**6)) == pytest.approx(parts / 10**6)


@pytest.mark.parametrize(
    ("text", "size", "reason"),
    [
        ("64MB", 64_000_000, "powers of ten"),
        ("1GiB", 2**30, "powers of two"),
        ("1.5kB", 1500, "a fraction"),
        (4096, 4096, "bytes are the only unit a bare number can have"),
    ],
)
def test_a_size_is_read_as_bytes(text: object, size: int, reason: str) -> None:
    assert parse_size(text) == size, reason


@pytest.mark.parametrize("text", ["64", "64mb", "64 Mbit", -1, True, "MB"])
def test_a_size_without_a_known_unit_is_refused(text: object) -> None:
    with pytest.raises(Wrong):
        parse_size(text)


@given(st.integers(min_value=0, max_value=10**13))
def test_a_size_survives_being_written_and_read(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("1%", 0.01, "a ratio"),
        ("30s", 30.0, "a latency"),
        ("100ms", 0.1, "a bound below a second"),
        (0, 0.0, "a zero test"),
        (-3.5, -3.5, "a gauge may be negative"),
        ("250%", 2.5, "a ratio may exceed one"),
    ],
)
def test_a_threshold_is_a_number_a_percentage_or_a_time(text: object, value: float, reason: str) -> None:
    assert parse_threshold(text) == pytest.approx(value), reason


@pytest.mark.parametrize("text", ["x", "5 packets", float("nan"), float("inf"), True, None, []])
def test_what_cannot_be_compared_is_no_threshold(text: object) -> None:
    with pytest.raises(Wrong):
        parse_threshold(text)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (OfLast.parse, "5 of 10", OfLast(5, 10)),
        (Budget.parse, "3 per 6h", Budget(3, 21600.0)),
        (TimeOfDay.parse, "08:30", TimeOfDay(8, 30)),
        (TimeOfDay.parse, "24:00", TimeOfDay(24, 0)),
    ],
)
def test_small_values_are_read_and_written_alike(
    parse: Callable[[str], object], text: str, value: object
) -> None:
    assert parse(text) == value
    assert str(value) == text


@pytest.mark.parametrize(
    ("parse", "text", "reason"),
    [
        (OfLast.parse, "11 of 10", "cannot be met"),
        (OfLast.parse, "0 of 10", "always met"),
        (OfLast.parse, "5/10", "another notation"),
        (OfLast.parse, "5 of 100000", "slots are bounded"),
        (Budget.parse, "0 per 6h", "allows nothing"),
        (Budget.parse, "3 per 0s", "of no time"),
        (Budget.parse, "3 per 6", "no unit"),
        (TimeOfDay.parse, "8.30", "another notation"),
        (TimeOfDay.parse, "24:01", "past the end of the day"),
        (TimeOfDay.parse, "12:60", "no such minute"),
        (TimeOfDay.parse, 510, "what a sexagesimal reader makes of 8:30"),
    ],
)
def test_small_values_that_make_no_sense_are_refused(
    parse: Callable[[object], object], text: object, reason: str
) -> None:
    with pytest.raises(Wrong) as caught:
        parse(text)
    assert caught.value.hint, reason


class _All(Section):
    length: Duration = 0.0
    share: Share = 0.0
    size: Size = 0
    bound: Threshold = 0.0
    of_last: OfLast | None = None
    budget: Budget | None = None
    at: TimeOfDay | None = None


def test_a_model_with_units_can_be_dumped_and_loaded_again() -> None:
    written = {
        "length": "5m",
        "share": "34%",
        "size": "64MB",
        "bound": 0.5,
        "of_last": "5 of 10",
        "budget": "3 per 6h",
        "at": "08:30",
    }
    model = _All.model_validate(written)
    assert model.model_dump(mode="json") == written
    assert _All.model_validate(model.model_dump(mode="json")) == model
    assert set(_All.model_json_schema()["properties"]) == set(written)


def test_a_wrong_unit_keeps_its_remedy_through_the_model() -> None:
    with pytest.raises(ValidationError) as caught:
        _All.model_validate({"length": 5})
    cause = caught.value.errors()[0]["ctx"]["error"]
    assert isinstance(cause, Wrong)
    assert cause.hint == "write 5s for seconds"
