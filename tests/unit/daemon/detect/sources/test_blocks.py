"""Series with their own times become blocks in which an absent sample really was absent."""

from __future__ import annotations

import numpy as np

from daemon.detect.sources.blocks import Track, blocks_of
from detectors.samples import Series


def track(name: str, samples: dict[float, float], **labels: str) -> Track:
    series = Series(name, tuple(sorted({"job": "j", "instance": "i", **labels}.items())))
    return Track(series, np.array(list(samples)), np.array(list(samples.values())))


def test_a_series_missing_from_some_scrapes_is_absent_there() -> None:
    (block,) = blocks_of([track("up", {1: 1, 2: 1, 3: 1}), track("m", {1: 5, 3: 7})])
    np.testing.assert_array_equal(block.values, [[1, 5], [1, np.nan], [1, 7]])


def test_a_series_with_times_of_its_own_is_no_part_of_the_scrapes() -> None:
    scraped, pushed = blocks_of([track("up", {1: 1, 2: 1}), track("m", {1: 5}), track("m", {1.4: 3}, a="b")])
    np.testing.assert_array_equal(scraped.values, [[1, 5], [1, np.nan]])
    np.testing.assert_array_equal(pushed.times, [1.4])
    assert len(pushed.series) == 1


def test_replicas_of_one_target_stay_apart() -> None:
    tracks = [
        track("up", {1: 1}, replica="a"),
        track("up", {1.3: 1}, replica="b"),
        track("m", {1: 5}, replica="a", tier="hot"),
        track("m", {1.3: 5}, replica="b", tier="hot"),
    ]
    blocks = blocks_of(tracks)
    assert [dict(block.target)["replica"] for block in blocks] == ["a", "b"]
    assert all(block.values.shape == (1, 2) and not np.isnan(block.values).any() for block in blocks)


def test_without_up_the_scrapes_are_those_of_all_series_together() -> None:
    (block,) = blocks_of([track("a", {1: 1, 2: 2, 3: 3}), track("b", {2: 9, 3: 9, 4: 9})])
    np.testing.assert_array_equal(block.times, [1, 2, 3, 4])
    np.testing.assert_array_equal(block.values[:, 1], [np.nan, 9, 9, 9])


def test_targets_become_blocks_of_their_own() -> None:
    tracks = [track("up", {1: 1}, instance=host) for host in "ab"]
    assert [dict(block.target)["instance"] for block in blocks_of(tracks)] == ["a", "b"]
