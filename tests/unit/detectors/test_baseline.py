"""The arithmetic of baselines, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from detectors.baseline import Baseline, deviations, normal, usual_count
from detectors.robust import median

NAN = math.nan


def rows(*values: float, events: float = 0.0) -> Any:
    """One scope's same hours."""
    return np.array([[[value], [events], [1.0]] for value in values])


@pytest.mark.parametrize(
    ("values", "weeks", "middle", "spread", "why"),
    [
        ((100, 110, 90, 104), 4, 102.0, 1.4826 * 5.0, "off by 2, 8, 12 and 2: half-way between 2 and 8 is 5"),
        ((100, 110, 90), 4, NAN, NAN, "three weeks are not four"),
        ((100, 110, 90, NAN), 4, NAN, NAN, "a week of which nothing was learnt is none"),
        ((100, 100, 100, 100), 4, 100.0, 2.0, "weeks that were all alike: 2 % of the median"),
        ((0, 0, 0, 0), 4, 0.0, 0.0, "nothing ever happens there"),
        ((100, 110, 90, 104, 1000), 4, 104.0, 1.4826 * 6.0, "one week gone wild moves little"),
    ],
)
def test_what_is_normal_is_median_and_mad(
    values: tuple[float, ...], weeks: int, middle: float, spread: float, why: str
) -> None:
    found = normal(rows(*values), weeks)
    assert [float(one[0]) for one in found] == pytest.approx([middle, spread], nan_ok=True), why


BELOW = Baseline("below", 4, 5.0, 0.3, "UTC")
ABOVE = Baseline("above", 4, 5.0, 0.3, "UTC")


@pytest.mark.parametrize(
    ("baseline", "value", "middle", "spread", "told", "why"),
    [
        (BELOW, 40, 100, 10, 6.0, "60 below, a deviation is 10"),
        (BELOW, 160, 100, 10, 0.0, "the other direction is none of its business"),
        (ABOVE, 160, 100, 10, 6.0, "60 above"),
        (BELOW, 71, 100, 1, 0.0, "29 deviations, but less than 30 % off"),
        (BELOW, 70, 100, 1, 30.0, "30 % off is enough"),
        (BELOW, 6, 10, 1, 0.0, "40 % off, but by less than 5"),
        (ABOVE, 15, 10, 1, 5.0, "by 5 is enough"),
        (
            ABOVE,
            5,
            0,
            0,
            1000.0,
            "where nothing ever happens no number of deviations is enough: 1000 stand for it",
        ),
        (BELOW, 0, 0, 0, 0.0, "nothing, where nothing ever happens"),
        (BELOW, 40, NAN, NAN, NAN, "too few weeks: not known"),
        (BELOW, NAN, 100, 10, NAN, "no value: not known"),
    ],
)
def test_deviations_count_in_one_direction_and_beyond_both_minima(
    baseline: Baseline, value: float, middle: float, spread: float, told: float, why: str
) -> None:
    found = deviations(baseline, *(np.array([[float(one)]]) for one in (value, middle, spread)))
    assert float(found[0, 0]) == pytest.approx(told, nan_ok=True), why


@pytest.mark.parametrize(
    ("events", "per", "told", "why"),
    [
        ((360.0, 720.0), 300.0, 45.0, "540 an hour are 45 in 5 minutes"),
        ((360.0, 720.0, 480.0), 3600.0, 480.0, "the middle one of three"),
        ((360.0,), 300.0, NAN, "one week is no custom"),
        ((0.0, 0.0), 300.0, 0.0, "nothing is usual, and that is known"),
        ((), 300.0, NAN, "nothing is known"),
    ],
)
def test_usual_is_the_median_count_of_two_same_hours_or_more(
    events: tuple[float, ...], per: float, told: float, why: str
) -> None:
    same = np.concatenate([rows(1.0, events=one) for one in events]) if events else np.empty((0, 3, 1))
    assert float(usual_count(same, per)[0]) == pytest.approx(told, nan_ok=True), why


def test_a_median_leaves_out_what_is_not_known() -> None:
    assert median(np.array([[NAN, 1.0], [3.0, NAN], [5.0, NAN]]), 2).tolist() == pytest.approx(
        [4.0, NAN], nan_ok=True
    )
