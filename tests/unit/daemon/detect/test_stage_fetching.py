"""Answers that are partial or late, slots that pass unused, and the bounds of what is asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from config.scope import WHOLE
from daemon.detect.fetching import Asked
from daemon.detect.plan import Sections
from daemon.detect.sources.base import Query
from daemon.detect.sources.prometheus import nothing_known
from daemon.detect.stage import Detection
from detectors.samples import UP, Batch, Block, Failed, Series
from detectors.spec import DetectorSpec
from remediations.run import Evidence
from remediations.spec import Limits
from remediations.verification import Seen
from tests.fakes.telemetry import FakeTelemetry
from tests.unit.daemon.detect.telling import (
    EXPECTED,
    HOT,
    PROM,
    STORAGE,
    WRITES,
    counter,
    packets,
    storage,
    story,
)


def test_an_answer_with_a_warning_observes_nothing() -> None:
    told = story(storage((600, 5), warnings=lambda at: ("store 3 is missing",) if at > 600 else ())).run(
        0, 2000
    )
    assert told.events("fired") == []
    assert told.detection.sources(2000)[0].state == "down"
    assert "store 3 is missing" in told.detection.sources(2000)[0].reason


def test_samples_held_back_by_a_warning_are_read_once_it_is_gone() -> None:
    told = story(storage(warnings=lambda at: ("partial",) if 300 < at < 400 else ()))
    told.run(0, 420)
    since = [fetch.since for fetch in told.asked if fetch.asked is Asked.SOURCE and fetch.at >= 400]
    assert since[0] == 300


def test_a_fetch_that_is_not_back_by_its_deadline_has_failed_and_is_counted() -> None:
    told = story(storage())
    told.run(0, 60)
    (job,) = told.detection.due(75)
    assert told.detection.due(80) == [], "never two fetches of one source at once"
    told.detection.due(job.deadline_at + 1)
    (view,) = told.detection.sources(100)
    assert (view.late, view.state) == (1, "failing")
    board = told.detection.evaluate(100)
    assert board is not None
    assert told.detection.fault(("storage-writes",), HOT, 100).seen is Seen.UNKNOWN


def test_ticks_that_passed_unused_are_skipped_and_counted_not_queued() -> None:
    told = story(storage())
    told.run(0, 60)
    told.tick(600)
    told.tick(600.5)
    assert len([fetch for fetch in told.asked if fetch.at >= 600]) == 1
    assert told.detection.sources(600)[0].skipped == 35


def test_no_more_is_asked_than_there_are_workers_and_the_rest_stays_due() -> None:
    specs = {"d": DetectorSpec.model_validate(STORAGE)}
    detection = Detection(Sections({"a": PROM, "b": PROM, "c": PROM}, specs), 0)
    assert [len(detection.due(0, free)) for free in (2, 0, 8)] == [2, 0, 1]


def test_with_few_workers_every_question_gets_its_turn() -> None:
    specs = {"d": DetectorSpec.model_validate(STORAGE)}
    detection = Detection(Sections({"a": PROM, "b": PROM, "c": PROM}, specs), 0)
    asked = []
    for at in range(0, 60, 15):
        for job in detection.due(at, 2):
            asked.append(job.args["fetch"].name)
            detection.take(Failed(asked[-1], at, "x"), at)
    assert all(asked.count(name) >= 2 for name in "abc"), "none of them starves"


def test_samples_that_break_one_detector_are_said_and_blind_no_other() -> None:
    """A counter that runs below zero is nothing a pipeline does; whatever it breaks must stay in its place."""

    class Broken(dict[Any, Any]):
        def get(self, *_: Any) -> Any:
            raise RuntimeError("out of order")

    told = story(storage((600, 5)), detectors={"a": STORAGE, "silent": EXPECTED}).run(0, 300)
    usual = told.detection.watches["silent"].usual
    assert usual is not None
    usual.counts = Broken()
    told.telemetry["main"].series |= packets(a=counter(2)).series
    told.run(315, 1000)
    assert told.events("fired") != []
    assert [(notice.kind, notice.name) for notice in told.detection.notices(1000)] == [("unjudged", "silent")]
    assert told.detection.fault(("silent",), WHOLE, 1000).seen is Seen.UNKNOWN


def test_somebody_waiting_for_fresh_evidence_need_not_wait_for_the_slot() -> None:
    told = story(storage())
    told.run(0, 60)
    told.detection.hurry(("storage-writes",), 63)
    assert told.detection.next_due(63) == 63
    assert len(told.detection.due(63)) == 1
    told.detection.hurry(("storage-writes",), 63.5)
    assert told.detection.due(63.5) == []


def test_a_source_removed_by_a_reload_is_not_heard_any_more() -> None:
    told = story(storage())
    told.run(0, 60)
    told.detection.take(Failed("gone", 75, "x"), 75)
    told.detection.take(Batch("gone", 75, ()), 75)
    assert told.detection.evaluate(75) is None


# ------------------------------------------------------------------ bounds


def test_series_beyond_the_limit_are_said_and_what_is_cut_is_unknown() -> None:
    many = {Series(WRITES, (("tier", f"t{n}"),)): counter(10) for n in range(20)}
    told = story(FakeTelemetry(many), limits=Limits(series=10)).run(0, 120)
    (notice,) = told.detection.notices(120)
    assert (notice.kind, notice.name) == ("series_limit", "main")
    assert "10 series beyond limits.series (10)" in notice.text


def test_a_query_that_is_not_answered_is_said_and_takes_nothing_else_along() -> None:
    query = Query("promql:q", "sum(depth) by (stage)")
    up = Series(UP, (("instance", "a:1"),))
    told = story(storage())
    for at in (0.0, 15.0):
        samples = Block(up.labels, np.array([at]), (up,), np.ones((1, 1)))
        blocks = (samples, nothing_known(query, [at]))
        told.detection.take(Batch("main", at, blocks, warnings=("sum(depth): too many samples",)), at)
    (notice,) = told.detection.notices(15)
    assert (notice.kind, notice.name, notice.since) == ("unanswered", "main", 0)
    assert "too many samples" in notice.text
    assert told.detection.sources(15)[0].state == "up"


def test_probe_answers_are_not_asked_for_when_nobody_needs_them() -> None:
    told = story(storage()).run(0, 60)
    assert {fetch.asked for fetch in told.asked} == {Asked.SOURCE}
    assert not told.detection.answered("mitigate/x", Evidence(1, ok=True), 1)
