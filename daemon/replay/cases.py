"""Cases, run: series become batches, the backtest judges them, and its events are held against the expected ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from daemon.detect.plan import Sections
from daemon.detect.sources.base import Source, Wanted
from daemon.detect.sources.blocks import Track, blocks_of
from daemon.detect.sources.pieces import between
from daemon.replay.backtest import Event, Replayed, backtest
from daemon.replay.casefile import Case, Expected, Suite, readers
from daemon.replay.notation import Column, Story
from detectors.samples import UP, Batch, Block, Failed, Labels, Series

_TARGET = frozenset({"job", "instance"})


class Written:
    """Fits `Source`: samples that somebody wrote down, all of them at hand."""

    def __init__(self, name: str, tracks: Sequence[Track]) -> None:
        self.name = name
        self._tracks = tracks
        self._blocks: dict[frozenset[str], tuple[Block, ...]] = {}

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        """Samples after `since` (None: from the first on) up to `now`."""
        del deadline
        names = wanted.names | {UP}
        if names not in self._blocks:
            self._blocks[names] = blocks_of(track for track in self._tracks if track.series.name in names)
        begin = -np.inf if since is None else since
        return Batch(self.name, now, tuple(between(self._blocks[names], begin, now)))

    def close(self) -> None:
        """Nothing is held."""


def _fits(source: Written) -> Source:
    """The type checker proves here that this is a source."""
    return source


def tracks_of(series: Mapping[Series, Story], start: float, interval: float) -> list[Track]:
    """Each target's `up`, then its series. A failed scrape or a missing row counts for the whole target.

    A series that is shorter than others of its target is missing from the later scrapes.
    """
    targets: dict[Labels, dict[Series, Column]] = {}
    for one, story in series.items():
        target = tuple(pair for pair in one.labels if pair[0] in _TARGET)
        targets.setdefault(target, {})[one] = story.column()
    tracks: list[Track] = []
    for target, columns in targets.items():
        length = max(len(column.values) for column in columns.values())
        times = start + interval * np.arange(length, dtype=np.float64)
        failed, away = np.zeros(length, dtype=bool), np.zeros(length, dtype=bool)
        for column in columns.values():
            failed[: len(column.stale)] |= column.stale
            away[: len(column.away)] |= column.away
        rows = ~away
        tracks.append(Track(Series(UP, target), times[rows], np.where(failed, 0.0, 1.0)[rows]))
        for one, column in columns.items():
            size = len(column.values)
            there = ~(failed | away)[:size] & ~np.isnan(column.values)
            if there.any():
                tracks.append(Track(one, times[:size][there], column.values[there]))
    return tracks


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case. `missing`: expected, and did not come; `surplus`: came, and was not expected;
    `forbidden`: came, and must not. `events`: all that were looked at. `not_judged`: detector -> why.
    """

    case: Case
    end: float
    events: tuple[Event, ...]
    missing: tuple[Expected, ...]
    surplus: tuple[Event, ...]
    forbidden: tuple[Event, ...]
    not_judged: Mapping[str, str]
    replayed: Replayed

    @property
    def passed(self) -> bool:
        return not (self.missing or self.surplus or self.forbidden or self.not_judged)


def run_case(suite: Suite, case: Case) -> Outcome:
    """Judge one case of a file by the backtest, and hold what came against what was expected."""
    index = suite.cases.index(case)
    series, end = suite.series[index], suite.ends[index]
    sections = _looked_at(suite.sections, case, {one.name for one in series})
    tracks = tracks_of(series, case.start, suite.interval)
    sources = {name: Written(name, tracks) for name in sections.telemetry}
    replayed = backtest(sections, sources, case.start, case.start + end)
    return _held_against(case, case.start + end, replayed, readers(sections), {one.name for one in series})


def _looked_at(sections: Sections, case: Case, names: set[str]) -> Sections:
    """Only the detectors that a case is about: named ones, else those that read a series, and expected ones."""
    if case.only is not None:
        about = set(case.only)
    else:
        about = {name for name, read in readers(sections).items() if read & names}
        about |= {one.detector for one in case.expect}
    kept = {name: spec for name, spec in sections.detectors.items() if name in about}
    return replace(sections, detectors=kept)


def _held_against(
    case: Case, end: float, replayed: Replayed, read: Mapping[str, frozenset[str]], names: set[str]
) -> Outcome:
    left = list(replayed.events)
    missing: list[Expected] = []
    # The one whose time runs out first takes the earliest event: then no other pairing finds more.
    for one in sorted(case.expect, key=lambda one: one.span[1]):
        found = next((event for event in left if one.met_by(event, case.start)), None)
        if found is None:
            missing.append(one)
        else:
            left.remove(found)
    forbidden = [
        event for event in replayed.events if any(one.met_by(event, case.start) for one in case.forbid)
    ]
    # That a detector has none of its series is what a case may be about; anything else is no verdict.
    broken = {name: why for name, why in replayed.not_judged.items() if read.get(name, frozenset()) & names}
    return Outcome(
        case=case,
        end=end,
        events=replayed.events,
        missing=tuple(sorted(missing, key=lambda one: one.span)),
        surplus=tuple(left) if case.strict else (),
        forbidden=tuple(forbidden),
        not_judged={name: why for name, why in broken.items() if "no series named" not in why},
        replayed=replayed,
    )
