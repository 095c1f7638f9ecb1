"""The stage over virtual time: the cases that need a source, told by a telemetry made by hand."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from config.scope import WHOLE, Scope, scope_of
from daemon.detect.fetching import Asked
from daemon.detect.plan import Sections
from daemon.detect.stage import Detection
from detectors.board import Board, FindingState
from detectors.samples import Batch, Failed, Series
from detectors.spec import DetectorSpec, Inventory, PrometheusSource, ScrapeSource
from remediations.run import Evidence
from remediations.spec import Limits
from remediations.verification import Seen
from tests.fakes.telemetry import FakeTelemetry, Story, Value

WRITES = "telemetry_storage_writes_total"
ERRORS = "telemetry_storage_write_errors_total"
HOT = scope_of({"tier": "hot"})
PROM = PrometheusSource(type="prometheus", url="http://prom:9090", scrape_interval="15s")
SCRAPE = ScrapeSource.model_validate({"type": "scrape", "targets": ["http://a:1/metrics"]})

STORAGE: dict[str, Any] = {
    "failure_mode": "storage_failure",
    "signal": {"ratio": {"of": ERRORS, "to": WRITES, "by": ["tier"], "window": "1m"}},
    "fire": {"above": "1%", "for": "5m"},
    "clear": {"below": "0.5%", "for": "5m"},
}
SILENT: dict[str, Any] = {
    "failure_mode": "ingestion_stopped",
    "signal": {
        "increase": {"of": "telemetry_ingestion_packets_received_total", "by": ["provider"], "window": "1m"}
    },
    "fire": {"equals": 0, "for": "5m"},
    "clear": {"above": 0, "for": "2m"},
}


def sections(source: Any = PROM, **more: Any) -> Sections:
    detectors = more.pop("detectors", {"storage-writes": STORAGE})
    given: dict[str, Any] = {"telemetry": {"main": source}, **more}
    specs = {name: DetectorSpec.model_validate(spec) for name, spec in detectors.items()}
    return Sections(detectors=specs, **given)


def counter(rate: float, *changes: tuple[float, float]) -> Value:
    """A counter that grows by `rate` per second, and by another rate from each instant on."""

    def value(at: float) -> float:
        total, since, now = 0.0, 0.0, rate
        for begin, then in changes:
            if at <= begin:
                break
            total, since, now = total + now * (begin - since), begin, then
        return total + now * (at - since)

    return value


def storage(*changes: tuple[float, float], **more: Any) -> FakeTelemetry:
    """A hot tier with 10 writes a second, of which from each instant on so many fail per second."""
    labels = (("tier", "hot"),)
    return FakeTelemetry(
        {Series(WRITES, labels): counter(10), Series(ERRORS, labels): counter(0, *changes)}, **more
    )


def story(telemetry: FakeTelemetry, start: float = 0.0, **more: Any) -> Story:
    return Story(Detection(sections(**more), start), {"main": telemetry})


def finding_states(board: Board | None) -> dict[tuple[str, Scope], FindingState]:
    assert board is not None
    return {key: finding.state for key, finding in board.findings.items()}


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


# ------------------------------------------------------------------ case 2 and 1: restarts


def restarted(told: Story, telemetry: FakeTelemetry, at: float, **more: Any) -> Story:
    rows = told.detection.checkpoint(at + 100) or told.detection._saved
    fresh = Story(Detection(sections(**more), at), {"main": telemetry})
    fresh.detection.restore(rows)
    return fresh


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
        for at in range(450, killed + 1, 15):
            told.tick(at)
            told.detection.checkpoint(at)
        back = Story(Detection(sections(), killed + 30), {"main": telemetry})
        back.detection.restore(told.detection._saved)
        back.run(killed + 30, 1800)
        events = told.events("fired", "cleared") + back.events("fired", "cleared")
        assert [state for state, _ in events] == ["fired", "cleared"], killed
        for (_, happened), (_, expected) in zip(events, whole, strict=True):
            assert abs(happened - expected) <= 15, killed


def test_checkpoints_hold_only_what_is_not_fine_and_come_at_most_every_five_seconds() -> None:
    told = story(storage((600, 5), (1300, 0)))
    written = []
    for at in range(2400):
        told.tick(at)
        rows = told.detection.checkpoint(at)
        if rows is not None:
            written.append((at, set(rows)))
    assert {key for _, keys in written for key in keys} == {("storage-writes", HOT)}
    assert written[0][0] >= 600
    assert written[-1][1] == set(), "the last one forgets the scope that is fine again"
    moves = {round(at) for _, at in told.events()}
    for (one, _), (other, _) in itertools.pairwise(written):
        assert other - one >= 5 or any(abs(other - at) <= 1 for at in moves)


# ------------------------------------------------------------------ partial answers, late answers, slots


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


# ------------------------------------------------------------------ readings


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


# ------------------------------------------------------------------ silence: inventory, suspended, usual


def packets(**providers: Value) -> FakeTelemetry:
    name = "telemetry_ingestion_packets_received_total"
    return FakeTelemetry({Series(name, (("provider", who),)): value for who, value in providers.items()})


def test_a_silent_provider_fires_five_minutes_after_its_last_packet() -> None:
    told = story(packets(a=counter(2, (600, 0)), b=counter(2)), detectors={"silent": SILENT}).run(0, 1200)
    ((_, at),) = told.events("fired")
    assert 900 <= at <= 930


def test_a_suspended_one_is_left_alone() -> None:
    telemetry = packets(a=counter(2, (600, 0)))
    telemetry.series[Series("suspended", (("provider", "a"),))] = lambda at: 1.0 if at >= 500 else None
    inventory = Inventory.model_validate({"suspended": {"of": "suspended", "by": ["provider"]}})
    told = story(telemetry, detectors={"silent": SILENT}, inventory=inventory).run(0, 1500)
    assert told.events("fired") == []


def test_it_is_missed_again_when_the_suspension_ends() -> None:
    telemetry = packets(a=counter(2, (600, 0)))
    telemetry.series[Series("suspended", (("provider", "a"),))] = lambda at: 1.0 if 500 <= at < 1500 else 0.0
    inventory = Inventory.model_validate({"suspended": {"of": "suspended", "by": ["provider"]}})
    told = story(telemetry, detectors={"silent": SILENT}, inventory=inventory).run(0, 2000)
    ((_, at),) = told.events("fired")
    assert 1800 <= at <= 1845


def test_a_listed_member_that_never_appears_is_no_data_and_no_outage() -> None:
    inventory = Inventory.model_validate({"provider": ["a", "b"]})
    told = story(packets(a=counter(2)), detectors={"silent": SILENT}, inventory=inventory).run(0, 900)
    assert told.board is not None
    assert finding_states(told.board) == {("silent", scope_of({"provider": "b"})): FindingState.NO_DATA}
    assert len(told.board.populations["ingestion_stopped"]) == 2


def test_one_seen_lately_is_expected_after_a_restart() -> None:
    inventory = Inventory.model_validate({"provider": {"seen_within": "7d"}})
    both, one = packets(a=counter(2), b=counter(2)), packets(a=counter(2))
    before = story(both, detectors={"silent": SILENT}, inventory=inventory).run(0, 300)
    after = restarted(before, one, 3000, detectors={"silent": SILENT}, inventory=inventory).run(3000, 3600)
    assert finding_states(after.board) == {("silent", scope_of({"provider": "b"})): FindingState.NO_DATA}


EXPECTED = SILENT | {"expected": {"at_least": 10, "per": "5m"}}


def test_silence_where_little_is_usual_is_no_finding() -> None:
    told = story(packets(a=counter(0.02, (2000, 0)), b=counter(2)), detectors={"silent": EXPECTED}).run(
        0, 3000
    )
    assert told.events("fired") == []


def test_silence_where_much_is_usual_is_one() -> None:
    told = story(packets(a=counter(2, (2000, 0))), detectors={"silent": EXPECTED}).run(0, 3000)
    ((_, at),) = told.events("fired")
    assert 2300 <= at <= 2345


def test_what_was_usual_is_not_forgotten_by_a_restart_in_the_middle_of_an_outage() -> None:
    telemetry = packets(a=counter(2, (2000, 0)))
    telemetry.history = False
    before = story(telemetry, source=SCRAPE, detectors={"silent": EXPECTED}).run(0, 2100)
    after = restarted(before, telemetry, 2115, source=SCRAPE, detectors={"silent": EXPECTED}).run(2115, 3000)
    assert len(after.events("fired")) == 1


def test_silence_of_one_nothing_is_known_about_is_judged_by_the_fleet() -> None:
    telemetry = packets(a=lambda _: 5.0, b=counter(2), c=counter(3))
    told = story(telemetry, detectors={"silent": EXPECTED}).run(0, 2000)
    assert [t.scope for t in told.transitions if t.state == "fired"] == [scope_of({"provider": "a"})]


def test_without_a_fleet_nothing_is_known_of_it() -> None:
    told = story(packets(a=lambda _: 5.0), detectors={"silent": EXPECTED}).run(0, 2000)
    assert told.events("fired") == []


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


def test_probe_answers_are_not_asked_for_when_nobody_needs_them() -> None:
    told = story(storage()).run(0, 60)
    assert {fetch.asked for fetch in told.asked} == {Asked.SOURCE}
    assert not told.detection.answered("mitigate/x", Evidence(1, ok=True), 1)


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


def test_rows_of_others_in_the_checkpoints_are_left_alone() -> None:
    detection = Detection(sections(), 0)
    detection.restore({("@inbox", scope_of({"fingerprint": "x"})): {"a": 1}})
    assert detection.checkpoint(10) is None
