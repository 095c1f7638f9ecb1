"""The stage over virtual time: faults, lost data, sources that fail, series that are born, clocks set back."""

from __future__ import annotations

import pytest

from daemon.detect.plan import Sections
from daemon.detect.stage import Detection
from detectors.board import FindingState
from detectors.samples import Series
from detectors.spec import DetectorSpec
from remediations.verification import Seen
from tests.fakes.telemetry import FakeTelemetry, Story
from tests.unit.daemon.detect.telling import (
    ERRORS,
    HOT,
    PROM,
    SCRAPE,
    STORAGE,
    WRITES,
    counter,
    finding_states,
    sections,
    storage,
    story,
)


def test_a_fault_fires_after_its_hold_and_clears_on_observed_health() -> None:
    told = story(storage((600, 5), (1200, 0))).run(0, 2000)
    (fired, at), (cleared, until) = told.events("fired", "cleared")
    assert (fired, cleared) == ("fired", "cleared")
    assert 900 <= at <= 900 + 45
    assert 1500 <= until <= 1500 + 90


def test_a_quiet_pipeline_writes_nothing_and_finds_nothing() -> None:
    told = story(storage())
    for at in range(0, 1200, 15):
        told.tick(at)
        assert told.detection.checkpoint(at) is None
    assert told.board is not None
    assert told.board.findings == {}
    assert told.board.all_rounds_done
    assert told.board.populations == {"storage_failure": frozenset({HOT})}


# ------------------------------------------------------------------ case 4: lost data resolves nothing


def test_a_firing_scope_whose_data_is_lost_stays_firing_and_blind() -> None:
    told = story(storage((600, 5), up=lambda at: not 1000 < at <= 1600)).run(0, 1600)
    assert told.events("cleared") == []
    assert told.board is not None
    finding = told.board.findings["storage-writes", HOT]
    assert finding.state is FindingState.FIRING
    assert finding.blind
    assert told.detection.fault(("storage-writes",), HOT, 1600).seen is Seen.UNKNOWN


def test_it_clears_once_health_is_observed_again() -> None:
    telemetry = storage((600, 5), (1100, 0), up=lambda at: not 1000 < at <= 1600)
    assert len(story(telemetry).run(0, 2300).events("cleared")) == 1


# ------------------------------------------------------------------ case 6: a source that does not answer


def test_a_source_that_is_slow_to_come_up_is_no_event() -> None:
    told = story(storage(reachable=lambda at: at >= 60)).run(0, 600)
    assert told.events() == []
    assert told.board is not None
    assert told.board.sources_down == {}


def test_a_source_that_is_down_is_one_entry_not_one_per_detector() -> None:
    names = {f"storage-{n}": STORAGE for n in range(5)}
    told = story(storage(reachable=lambda _: False), detectors=names).run(0, 600)
    assert told.board is not None
    assert list(told.board.sources_down) == ["main"]
    assert told.board.findings == {}
    assert told.board.all_rounds_done, "a dead source must not hold up the others for ever"
    assert told.detection.sources(600)[0].state == "down"


def test_no_verdict_before_every_detector_had_its_round() -> None:
    telemetry = {"main": storage((0, 5)), "other": storage(reachable=lambda at: at > 100)}
    specs = {
        name: DetectorSpec.model_validate(STORAGE | {"source": src})
        for name, src in (("a", "main"), ("b", "other"))
    }
    told = Story(Detection(Sections({"main": PROM, "other": PROM}, specs), 0), telemetry)
    seen = {}
    for at in range(0, 200, 15):
        told.tick(at)
        assert told.board is not None
        seen[at] = told.board.all_rounds_done
    assert not any(done for at, done in seen.items() if at <= 100)
    assert seen[195]


# ------------------------------------------------------------------ case 9: born non-zero


def test_a_series_born_under_our_eyes_began_at_zero() -> None:
    born = FakeTelemetry(
        {
            Series(ERRORS, (("tier", "hot"),)): lambda at: None if at < 300 else 2700.0,
            Series(WRITES, (("tier", "hot"),)): counter(10),
        }
    )
    told = story(born).run(0, 300)
    chart = told.detection.chart("storage-writes", HOT, 0, 300)
    assert chart is not None
    assert chart.values[-1] == pytest.approx(2700 / 600)


def test_a_series_that_was_there_when_we_started_proves_nothing() -> None:
    there = FakeTelemetry(
        {
            Series(ERRORS, (("tier", "hot"),)): lambda _: 2700.0,
            Series(WRITES, (("tier", "hot"),)): counter(10),
        },
        history=False,
    )
    told = story(there, start=300, source=SCRAPE).run(300, 1200)
    assert told.events("fired") == []
    assert told.detection.fault(("storage-writes",), HOT, 1200).seen is Seen.OK


# ------------------------------------------------------------------ reload


def test_a_reload_keeps_the_state_of_detectors_of_the_same_name() -> None:
    told = story(storage((600, 5))).run(0, 800)
    told.detection.reload(sections(detectors={"storage-writes": STORAGE, "other": STORAGE}), 805)
    told.run(810, 1000)
    fired = {t.detector: t.at for t in told.transitions if t.state == "fired"}
    assert 900 <= fired["storage-writes"] <= 945
    assert 900 <= fired["other"] <= 945, "a new one reads the same history"


def test_a_removed_detector_leaves_the_board() -> None:
    told = story(storage((600, 5))).run(0, 1000)
    told.detection.reload(sections(detectors={"other": STORAGE}), 1005)
    told.run(1005, 1020)
    assert {key[0] for key in finding_states(told.board)} <= {"other"}


# ------------------------------------------------------------------ the wall clock


def test_a_clock_set_back_delays_no_detection() -> None:
    """The source's own clock goes on; ours is an hour ahead, until it is set right in the middle of a hold."""
    told = story(storage((4300, 5)), start=4000)
    told.telemetry["main"].series = storage((4300, 5)).series
    told.run(4000, 4450)
    before = told.board
    assert before is not None
    assert finding_states(before) == {("storage-writes", HOT): FindingState.PENDING}
    told.telemetry["main"].series = storage((0, 5)).series
    told.run(865, 1300)
    ((_, at),) = told.events("fired")
    assert at <= 1180, "two and a half minutes were seen before, what is missing of five comes after"
    assert [notice.kind for notice in told.detection.notices(900)] == ["clock"]


def test_answers_keep_coming_after_the_clock_was_set_back() -> None:
    told = story(storage(), start=4000).run(4000, 4100)
    asked = len(told.asked)
    told.run(500, 600)
    assert len(told.asked) - asked == 7
    assert told.detection.fault(("storage-writes",), HOT, 600).seen is Seen.OK
