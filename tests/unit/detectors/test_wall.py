"""Wall hours: the same hour of the week has the same place whatever the clocks did in between."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from detectors.wall import HOUR, WEEK, wall_hours

BERLIN = "Europe/Berlin"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def hour(text: str, zone: str = BERLIN) -> tuple[int, float]:
    """(place in the week counted from Thursday 00:00, start) of the wall hour at an instant in UTC."""
    number, start = wall_hours(np.array([at(text)]), zone)
    return int(number[0]) % WEEK, float(start[0])


@pytest.mark.parametrize(
    ("winter", "summer", "why"),
    [
        ("2026-03-24 07:30", "2026-03-31 06:30", "Tuesday 08:30 before and after the clocks went forward"),
        ("2026-10-28 07:30", "2026-10-21 06:30", "Wednesday 08:30 before and after the clocks went back"),
        ("2026-01-06 23:10", "2026-07-07 22:10", "Wednesday 00:10 is a Wednesday in both halves of the year"),
    ],
)
def test_the_same_hour_of_the_week_is_one_in_both_halves_of_the_year(
    winter: str, summer: str, why: str
) -> None:
    assert hour(winter)[0] == hour(summer)[0], why


def test_an_hour_that_clocks_show_twice_is_one_hour_with_two_starts() -> None:
    """On 2026-10-25 Berlin's clocks go from 03:00 CEST back to 02:00 CET, at 01:00 UTC."""
    (first, began), (second, again) = hour("2026-10-25 00:30"), hour("2026-10-25 01:30")
    assert first == second
    assert (began, again) == (at("2026-10-25 00:00"), at("2026-10-25 01:00"))


def test_an_hour_that_clocks_leave_out_is_none() -> None:
    """On 2026-03-29 Berlin's clocks go from 02:00 CET to 03:00 CEST, at 01:00 UTC: 02:xx does not happen."""
    instants = at("2026-03-29 00:00") + np.arange(0.0, 3 * HOUR, 60.0)
    numbers, starts = wall_hours(instants, BERLIN)
    missing = hour("2026-03-22 01:30")[0]
    assert missing not in set((numbers % WEEK).tolist())
    assert sorted(set(starts.tolist())) == [at(f"2026-03-29 0{h}:00") for h in range(3)]


def test_hours_begin_at_the_half_hour_where_a_zone_is_half_an_hour_off() -> None:
    assert hour("2026-01-05 10:45", "Asia/Kolkata")[1] == at("2026-01-05 10:30")
