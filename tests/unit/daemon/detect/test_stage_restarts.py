"""What a restart keeps, reads back and deducts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from config.scope import WHOLE, Scope, scope_of
from daemon.detect.checkpoints import TICKS
from daemon.detect.stage import Detection
from detectors.board import FindingState
from detectors.samples import Series
from tests.fakes.telemetry import FakeTelemetry, Story
from tests.unit.daemon.detect.telling import (
    ERRORS,
    HOT,
    SCRAPE,
    WRITES,
    counter,
    finding_states,
    restarted,
    sections,
    storage,
    story,
)


def test_the_gap_of_a_restart_is_read_back_and_counts_as_what_it_was() -> None:
    """Down for most of the hold: the history says breach all along, so it fires at once."""
    telemetry = storage((600, 5))
    before = story(telemetry).run(0, 690)
    after = restarted(before, telemetry, 1200).run(1200, 1215)
    ((state, at),) = after.events("fired")
    assert state == "fired"
    assert at <= 1200, "at once: the history that is read back covers a whole hold"


def test_health_during_the_gap_is_read_back_too() -> None:
    telemetry = storage((600, 5), (800, 0), (1190, 5))
    before = story(telemetry).run(0, 690)
    after = restarted(before, telemetry, 1200).run(1200, 1470)
    assert after.events("fired") == []
    assert "withdrawn" in dict(after.events())


def test_without_history_the_gap_is_deducted() -> None:
    telemetry = storage((600, 5), history=False)
    before = story(telemetry, source=SCRAPE).run(0, 690)
    after = restarted(before, telemetry, 1200, source=SCRAPE).run(1200, 1800)
    ((_, at),) = after.events("fired")
    assert 1200 + 200 <= at <= 1200 + 300


def test_a_firing_scope_fires_still_after_a_restart_and_not_again() -> None:
    telemetry = storage((600, 5))
    before = story(telemetry).run(0, 1000)
    after = restarted(before, telemetry, 1100).run(1100, 1200)
    assert after.events("fired", "cleared") == []
    assert finding_states(after.board) == {("storage-writes", HOT): FindingState.FIRING}


def test_a_restart_while_the_source_does_not_answer_waits_for_its_history() -> None:
    telemetry = storage((600, 5))
    before = story(telemetry).run(0, 690)
    telemetry.reachable = lambda at: at >= 1250
    after = restarted(before, telemetry, 1200).run(1200, 1260)
    ((_, at),) = after.events("fired")
    assert at <= 1260, "at the first answer"


def test_wherever_it_is_killed_the_events_are_the_same() -> None:
    """Killed and back 30 s later, at every tick of an outage: fired once, cleared once, at the same ticks."""
    telemetry = storage((600, 5), (1200, 0))
    whole = story(telemetry).run(450, 1800).events("fired", "cleared")
    assert [state for state, _ in whole] == ["fired", "cleared"]
    for killed in range(465, 1770, 45):
        told = Story(Detection(sections(), 450), {"main": telemetry})
        kept: Mapping[tuple[str, Scope], Any] = {}
        for at in range(450, killed + 1, 15):
            told.tick(at)
            kept = told.detection.checkpoint(at) or kept
        back = Story(Detection(sections(), killed + 30), {"main": telemetry})
        back.detection.restore(kept)
        back.run(killed + 30, 1800)
        events = told.events("fired", "cleared") + back.events("fired", "cleared")
        assert [state for state, _ in events] == ["fired", "cleared"], killed
        for (_, happened), (_, expected) in zip(events, whole, strict=True):
            assert abs(happened - expected) <= 15, killed


def test_checkpoints_hold_only_what_is_not_fine_and_come_at_most_every_five_seconds() -> None:
    told = story(storage((600, 5), (1300, 0)))
    written = []
    for at in range(5400):  # firings are remembered for six times both holds
        told.tick(at)
        rows = told.detection.checkpoint(at)
        if rows is not None:
            written.append((at, set(rows) - {(TICKS, WHOLE)}))
    assert {key for _, keys in written for key in keys} == {("storage-writes", HOT)}
    assert written[0][0] >= 600
    assert written[-1][1] == set(), "the last one forgets the scope that is fine again"
    moves = {round(at) for _, at in told.events()}
    for (one, _), (other, _) in itertools.pairwise(written):
        assert other - one >= 5 or any(abs(other - at) <= 1 for at in moves)


def test_thousands_of_scopes_that_fail_at_once_are_kept_less_often() -> None:
    """3 000 rows every half minute, not with every tick; what few there are before is kept at once."""
    tiers = [(("tier", f"t{number:04d}"),) for number in range(3_000)]
    series = {Series(WRITES, tier): counter(10) for tier in tiers}
    series |= {Series(ERRORS, tier): counter(0, (600, 5)) for tier in tiers}
    told = story(FakeTelemetry(series))
    written = []
    for at in range(450, 1200, 15):
        told.tick(at)
        rows = told.detection.checkpoint(at)
        if rows is not None:
            written.append((at, len(rows)))
    begun = next(place for place, (_, count) in enumerate(written) if count > 3_000)
    assert written[begun][0] == 615, "the first breach is kept at once"
    gaps = [(later - at, count) for (at, count), (later, _) in itertools.pairwise(written[begun:])]
    assert gaps, "and again"
    assert all(count / gap <= 100.1 for gap, count in gaps)


def test_rows_of_others_in_the_checkpoints_are_left_alone() -> None:
    detection = Detection(sections(), 0)
    detection.restore({("@inbox", scope_of({"fingerprint": "x"})): {"a": 1}})
    assert detection.checkpoint(10) is None


def test_what_an_older_release_kept_of_usual_traffic_is_learnt_anew() -> None:
    expected = {"expected": {"at_least": 4, "per": "1m"}, "fire": {"equals": 0, "for": "1m"}}
    writes = {"increase": {"of": "telemetry_storage_writes_total", "by": ["tier"], "window": "1m"}}
    spec = {"failure_mode": "storage_failure", "signal": writes, **expected}
    detection = Detection(sections(detectors={"silent": spec}), 0)
    detection.restore({("@usual", scope_of({"detector": "silent"})): {"tier=hot": [3.0, 4.0]}})
    told = Story(detection, {"main": storage()}).run(0, 300)
    assert told.board is not None
    usual = detection.watches["silent"].usual
    assert usual is not None
    assert usual.counts[HOT]
