"""The notation of series: promtool's, growth with a leading plus, and words for what was not scraped."""

from __future__ import annotations

import math

import pytest

from config.problems import Wrong
from daemon.replay.notation import parse_series, parse_story
from detectors.samples import Series

GAP = None


@pytest.mark.parametrize(
    ("text", "samples", "reason"),
    [
        ("3", [3], "one value"),
        ("3x2", [3, 3, 3], "as in promtool: the value, and two more"),
        ("0+10x3", [0, 10, 20, 30], "as in promtool: rising"),
        ("200-5x2 1", [200, 195, 190, 1], "as in promtool: falling"),
        ("-2+4x2", [-2, 2, 6], "as in promtool: a negative start"),
        ("-3x1 1.5e3 .5", [-3, -3, 1500, 0.5], "numbers with a sign, an exponent, a bare point"),
        ("0 +5x2 +0x2 +1", [0, 5, 10, 10, 10, 11], "growth counts from the last value"),
        ("+5x2", [5, 10], "growth counts from 0 where nothing came before"),
        ("1 _x2 +1", [1, GAP, GAP, 2], "what is missing in between does not change the last value"),
        ("1 NaN 2", [1, GAP, 2], "a value that is no number is no sample"),
    ],
)
def test_series_are_written_in_short(text: str, samples: list[float | None], reason: str) -> None:
    values = parse_story(text).column().values.tolist()
    assert [None if math.isnan(value) else value for value in values] == samples, reason


def test_failed_scrapes_and_missing_rows_are_told_apart_from_missing_samples() -> None:
    column = parse_story("1 stalex2 away _").column()
    assert column.stale.tolist() == [False, True, True, False, False]
    assert column.away.tolist() == [False, False, False, True, False]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing"),
        (5, "YAML makes numbers of 5 and 0x20"),
        ("5x", "times without a number"),
        ("1+2", "a step without times"),
        ("stale_x3", "a slip"),
        ("1e999", "no finite number"),
        ("Inf", "no finite number"),
        ("+5x9999999", "more samples than a series may have"),
        ("1 " * 60_000, "more text than a series may have"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_remedy(text: object, reason: str) -> None:
    with pytest.raises(Wrong) as caught:
        parse_story(text)
    assert caught.value.hint, reason


def test_a_series_is_a_name_with_labels() -> None:
    assert parse_series("packets") == Series("packets", ())
    assert parse_series('packets_total{tier="hot",endpoint="a,b"}') == Series(
        "packets_total", (("endpoint", "a,b"), ("tier", "hot"))
    )


@pytest.mark.parametrize(
    "text", ["", "a{", "a b", '{x="y"}', "a{x=y}", 'a{x="1",x="2"}', "up", "a\nb", "a 5"]
)
def test_what_is_no_series_is_refused(text: str) -> None:
    with pytest.raises(Wrong):
        parse_series(text)
