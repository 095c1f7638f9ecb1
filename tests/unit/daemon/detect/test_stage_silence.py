"""Silence: who is expected to speak, who may be silent, and what was usual."""

from __future__ import annotations

from config.scope import scope_of
from detectors.board import FindingState
from detectors.samples import Series
from detectors.spec import Inventory
from tests.unit.daemon.detect.telling import (
    EXPECTED,
    SCRAPE,
    SILENT,
    counter,
    finding_states,
    packets,
    restarted,
    story,
)


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
    assert 1785 <= at <= 1830  # from the last tick at which it was switched off


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


def test_somebody_unlisted_whose_series_are_gone_is_missed_for_a_while_and_then_let_go() -> None:
    """A burst of series that never come back must not be carried along for ever."""
    telemetry = packets(a=counter(2), b=counter(2))
    for series in list(telemetry.series):
        if ("provider", "b") in series.labels:
            telemetry.series[series] = lambda at: 2 * at if at < 600 else None
    told = story(telemetry, detectors={"silent": SILENT}).run(0, 2400)
    assert [state for state, _ in told.events("no_data", "data_back")] == ["no_data"]
    told.run(2415, 6000)
    assert [state for state, _ in told.events("no_data", "data_back")] == ["no_data", "data_back"]
    assert told.board is not None
    assert told.board.findings == {}


def test_somebody_listed_is_missed_for_as_long_as_it_lasts() -> None:
    telemetry = packets(a=counter(2), b=lambda at: 2 * at if at < 600 else None)
    inventory = Inventory.model_validate({"provider": ["a", "b"]})
    told = story(telemetry, detectors={"silent": SILENT}, inventory=inventory).run(0, 9000)
    assert [state for state, _ in told.events("no_data", "data_back")] == ["no_data"]


def test_telemetry_that_is_there_again_says_since_when_until_it_has_lasted() -> None:
    telemetry = packets(a=counter(2), b=lambda at: None if 600 <= at < 1500 else 2 * at)
    inventory = Inventory.model_validate({"provider": ["a", "b"]})
    told = story(telemetry, detectors={"silent": SILENT}, inventory=inventory).run(0, 1485)
    assert told.board is not None
    (dark,) = told.board.findings.values()
    assert (dark.state, dark.back_since) == (FindingState.NO_DATA, None)
    told.run(1500, 1515)
    assert told.board is not None
    (back,) = told.board.findings.values()
    assert (back.state, back.back_since) == (FindingState.NO_DATA, 1500.0)
