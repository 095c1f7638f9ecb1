"""Scores: an incident counts once, few incidents prove little, and what nobody labelled is a false alarm."""

from __future__ import annotations

import pytest

from config.scope import scope_of
from detectors.scoring import WEEK, Firing, Label, Share, score

HOT, COLD = scope_of({"tier": "hot"}), scope_of({"tier": "cold"})
MODES = {"writes": "storage_failure", "reads": "storage_failure"}


def fired(start: float, end: float, detector: str = "writes", scope: object = HOT) -> Firing:
    return Firing(detector, "storage_failure", scope, start, end)  # type: ignore[arg-type]  # a scope


@pytest.mark.parametrize(
    ("hits", "of", "low", "high", "why"),
    [
        (3, 3, 0.44, 1.0, "three of three prove little"),
        (1, 1, 0.21, 1.0, "one of one proves next to nothing"),
        (0, 4, 0.0, 0.49, "none of four may be nearly half"),
        (95, 100, 0.89, 0.98, "a hundred are something"),
    ],
)
def test_bounds_of_a_share_are_wilsons(hits: int, of: int, low: float, high: float, why: str) -> None:
    bounds = Share(hits, of).bounds
    assert bounds is not None
    assert bounds == (pytest.approx(low, abs=0.006), pytest.approx(high, abs=0.006)), why


def test_nothing_divided_by_nothing_is_not_a_share() -> None:
    assert (Share(0, 0).value, Share(0, 0).bounds) == (None, None)


def test_an_incident_counts_once_and_what_nobody_labelled_is_a_false_alarm() -> None:
    labels = [Label(100, 200, "writes"), Label(1000, 1100, "writes"), Label(5000, 5100, "writes")]
    firings = [fired(130, 140), fired(150, 160), fired(1050, 1200), fired(3000, 3060)]
    writes, reads = score(MODES, firings, labels, 0, WEEK)
    assert (writes.recall, writes.precision) == (Share(2, 3), Share(3, 4))
    assert writes.late == (30.0, 50.0)
    assert (writes.late_at(0.5), writes.late_at(0.95), writes.late_at(1.0)) == (30.0, 50.0, 50.0)
    assert (writes.false_per_week, writes.flaps) == (1.0, 1)
    assert writes.minutes_firing == pytest.approx((10 + 10 + 150 + 60) / 60)
    assert (reads.recall.value, reads.precision.value) == (None, None)


@pytest.mark.parametrize(
    ("firing", "found", "why"),
    [
        (fired(795, 900), 1, "within the grace after its end"),
        (fired(801, 900), 0, "after it"),
        (fired(50, 99), 0, "before it"),
        (fired(150, 160, scope=COLD), 0, "elsewhere"),
        (fired(150, 160, detector="reads"), 0, "another detector"),
    ],
)
def test_a_firing_finds_an_incident_it_overlaps_in_time_place_and_kind(
    firing: Firing, found: int, why: str
) -> None:
    (writes, _) = score(MODES, [firing], [Label(100, 200, "writes", scope=HOT)], 0, WEEK)
    assert writes.recall.hits == found, why


def test_an_incident_without_a_detector_is_found_by_any_of_its_mode_and_makes_no_false_alarm_of_the_others() -> (
    None
):
    labels = [Label(100, 200, failure_mode="storage_failure")]
    writes, reads, mode = score(MODES, [fired(150, 160, detector="reads")], labels, 0, WEEK)
    assert (mode.name, mode.recall) == ("storage_failure", Share(1, 1))
    assert (reads.precision, reads.recall.of, writes.recall.of) == (Share(1, 1), 0, 0)


def test_firing_in_a_span_that_must_stay_quiet_is_a_violation() -> None:
    (writes, _) = score(MODES, [fired(150, 160), fired(900, 950)], [Label(100, 200, quiet=True)], 0, WEEK)
    assert (writes.violations, writes.precision) == (1, Share(0, 2))
