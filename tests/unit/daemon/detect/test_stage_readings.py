"""What detection answers when asked: readings after an action, fresh evidence, charts."""

from __future__ import annotations

import pytest

from config.scope import WHOLE
from detectors.samples import Series
from detectors.spec import PrometheusSource
from remediations.verification import Seen
from tests.unit.daemon.detect.telling import HOT, STORAGE, storage, story


def test_readings_after_an_action_rest_on_samples_after_it_alone() -> None:
    told = story(storage((600, 5), (1000, 0)))
    told.run(0, 1180)
    readings = told.detection.readings(("storage-writes",), HOT, 1005, 1180)
    assert [reading.at for reading in readings] == list(range(1020, 1181, 15))
    assert {reading.seen for reading in readings[4:]} == {Seen.OK}, (
        "though the window before still has errors"
    )
    assert all(reading.seen is not Seen.BREACH for reading in readings)
    assert all(reading.observed_at is None or reading.observed_at >= 1005 for reading in readings)


def test_readings_still_in_breach_say_so() -> None:
    told = story(storage((600, 5))).run(0, 1200)
    readings = told.detection.readings(("storage-writes",), HOT, 1005, 1200)
    assert readings[-1].seen is Seen.BREACH
    assert readings[-1].value == pytest.approx(0.5)


def test_all_deciding_detectors_must_be_well() -> None:
    latency = {**STORAGE, "signal": {"gauge": {"of": "disk_full", "by": ["tier"]}}, "fire": {"above": 0}}
    telemetry = storage((600, 5), (1000, 0))
    telemetry.series[Series("disk_full", (("tier", "hot"),))] = lambda _: 1.0
    told = story(telemetry, detectors={"storage-writes": STORAGE, "disk": latency}).run(0, 1300)
    assert told.detection.readings(("storage-writes",), HOT, 1005, 1300)[-1].seen is Seen.OK
    assert told.detection.readings(("storage-writes", "disk"), HOT, 1005, 1300)[-1].seen is Seen.BREACH
    assert told.detection.fault(("storage-writes", "disk"), HOT, 1300).seen is Seen.BREACH
    assert told.detection.fault(("storage-writes",), HOT, 1300).seen is Seen.OK
    assert told.detection.fault(("storage-writes", "nobody"), HOT, 1300).seen is Seen.UNKNOWN


def test_evidence_is_fresh_for_three_scrapes_and_the_delay_unless_said_otherwise() -> None:
    delayed = PrometheusSource(type="prometheus", url="http://p", scrape_interval="15s", delay="10s")
    told = story(storage(), source=delayed).run(0, 300)
    assert told.detection.fresh_within(("storage-writes",)) == pytest.approx(55)
    said = story(storage(), detectors={"storage-writes": STORAGE | {"fresh_within": "20s"}})
    assert said.detection.fresh_within(("storage-writes",)) == 20


# ------------------------------------------------------------------ charts


def test_a_chart_shows_values_lines_and_blind_spans_within_bounds() -> None:
    told = story(storage((600, 5), up=lambda at: not 300 <= at <= 400)).run(0, 5000, 5)
    chart = told.detection.chart("storage-writes", HOT, 0, 5000)
    assert chart is not None
    assert len(chart.times) == len(chart.values) <= 720
    assert (chart.fire, chart.clear) == (0.01, 0.005)
    assert any(begin <= 350 <= end for begin, end in chart.unknown)
    assert told.detection.chart("nobody", HOT, 0, 1) is None
    empty = told.detection.chart("storage-writes", WHOLE, 0, 5000)
    assert empty is not None
    assert empty.times == ()
