"""Series with times of their own, laid out as blocks: the series of one target share its scrapes' times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from detectors.samples import UP, Block, Floats, Labels, Series

_SAME_SCRAPES = 0.5
"""Share of a series' times that have to be times of the target for it to belong to the target's scrapes."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One series as delivered: `times` ascending unix seconds, `values` alike long."""

    series: Series
    times: Floats
    values: Floats


def blocks_of(tracks: Iterable[Track]) -> tuple[Block, ...]:
    """Group by target: `job`, `instance`, and whatever else the target's `up` carries.

    A series whose times are mostly not those of its target (own timestamps in the exposition, a recording rule, a
    push) is a block of its own: an instant at which it was not written is no scrape that lacked it.
    """
    groups: dict[Labels, list[Track]] = {}
    for track in tracks:
        key = tuple(pair for pair in track.series.labels if pair[0] in {"job", "instance"})
        groups.setdefault(key, []).append(track)
    blocks: list[Block] = []
    for key, members in groups.items():
        ups = [track for track in members if track.series.name == UP]
        rest = [track for track in members if track.series.name != UP]
        for up in sorted(ups, key=lambda track: -len(track.series.labels)):
            labels = set(up.series.labels)
            own = [track for track in rest if labels.issubset(track.series.labels)]
            if own:
                taken = {track.series for track in own}
                rest = [track for track in rest if track.series not in taken]
            blocks += _laid_out(up.series.labels, [up, *own])
        if rest:
            blocks += _laid_out(key if not ups else (*key, (UP, "")), rest)
    return tuple(blocks)


def _laid_out(target: Labels, tracks: Sequence[Track]) -> list[Block]:
    first = tracks[0] if tracks[0].series.name == UP else max(tracks, key=lambda track: len(track.times))
    times = first.times
    members: list[Track] = []
    strays: list[Track] = []
    for track in tracks:
        if track is first or _same(times, track.times):
            members.append(track)
            continue
        shared = np.isin(track.times, times)
        if shared.mean() >= _SAME_SCRAPES:
            members.append(track)
            times = np.union1d(times, track.times)
        else:
            strays.append(track)
    values = np.full((len(times), len(members)), np.nan)
    for column, track in enumerate(members):
        if len(track.times) == len(times):
            values[:, column] = track.values
        else:
            values[np.searchsorted(times, track.times), column] = track.values
    blocks = [Block(target, times, tuple(track.series for track in members), values)]
    for track in strays:
        alone = (("__name__", track.series.name), *track.series.labels)
        blocks.append(Block(alone, track.times, (track.series,), track.values.reshape(-1, 1)))
    return blocks


def _same(one: Floats, other: Floats) -> bool:
    return one is other or (len(one) == len(other) and bool((one == other).all()))
