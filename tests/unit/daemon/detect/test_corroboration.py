"""Silence of telemetry alone proves no outage: what has to agree before a finding may lead to action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from config.probes import ProbeSpec
from config.scope import scope_of
from daemon.detect.fetching import Asked, Fetch
from daemon.detect.plan import Sections
from daemon.detect.stage import Detection
from detectors.board import Finding
from detectors.samples import Series
from detectors.spec import DetectorSpec, Inventory, PrometheusSource
from remediations.run import Evidence
from tests.fakes.telemetry import FakeTelemetry, Story, Value

PROM = PrometheusSource(type="prometheus", url="http://p", scrape_interval="15s")
NAVIXY = scope_of({"provider": "navixy"})
REFUSED = "refused: Connection refused"
SILENT = "no answer: not within the deadline"

CONSUMER: dict[str, Any] = {
    "failure_mode": "ingestion_stopped",
    "signal": {"probe": "consumer-health"},
    "fire": {"equals": 0, "for": "2m"},
    "clear": {"equals": 1, "for": "1m"},
    "corroborate": {
        "any": [
            {"manager": "pipeline", "unit": "ingestion-{{ scope.provider }}", "is": "down"},
            {"probe": "consumer-health", "is": "failing"},
        ]
    },
}
PROBE = ProbeSpec.model_validate({"http": {"url": "http://{{ scope.provider }}:8080/health"}})
BROKEN_AT = 600.0


def flow(navixy: Value | None = None) -> FakeTelemetry:
    """What the next stage takes in per provider; navixy's stops when its consumer breaks."""
    name = "telemetry_transformation_mappings_applied_total"
    stopped: Value = navixy or (lambda at: 2 * min(at, BROKEN_AT))
    return FakeTelemetry(
        {
            Series(name, (("provider", "navixy"),)): stopped,
            Series(name, (("provider", "oem"),)): lambda at: 2 * at,
        }
    )


def story(
    ask: Callable[[Fetch, float], Evidence], telemetry: FakeTelemetry | None = None, **changes: Any
) -> Story:
    detection = Detection(
        Sections(
            telemetry={"main": PROM},
            detectors={"consumer-down": DetectorSpec.model_validate(CONSUMER | changes)},
            inventory=Inventory.model_validate({"provider": ["navixy", "oem"]}),
            probes={"consumer-health": PROBE},
        ),
        0,
    )
    return Story(detection, {"main": telemetry or flow()}, ask)


def asking(navixy: str, unit: Evidence | None = None, oem: str = "") -> Callable[[Fetch, float], Evidence]:
    """Navixy's consumer answers with this error once it broke; the manager says `unit` of it."""

    def ask(fetch: Fetch, now: float) -> Evidence:
        if fetch.asked is Asked.UNIT:
            return unit or Evidence(now, ok=False, error="no answer: the manager is gone")
        error = "" if now < BROKEN_AT else navixy if fetch.scope == NAVIXY else oem
        return Evidence(now, ok=False, error=error) if error else Evidence(now, ok=True, status=200)

    return ask


def firing(told: Story, end: float = 900) -> Finding:
    told.run(0, end)
    assert told.board is not None
    return told.board.findings["consumer-down", NAVIXY]


def test_a_probe_that_is_refused_corroborates() -> None:
    assert firing(story(asking(REFUSED))).corroborated is True


def test_a_probe_that_answers_badly_corroborates() -> None:
    def ask(fetch: Fetch, now: float) -> Evidence:
        bad = fetch.asked is Asked.PROBE and fetch.scope == NAVIXY and now >= BROKEN_AT
        return Evidence(now, ok=not bad, status=503 if bad else 200)

    assert firing(story(ask)).corroborated is True


def test_silence_corroborates_after_three_tries_while_another_probe_answers() -> None:
    assert firing(story(asking(SILENT))).corroborated is True


def test_silence_of_everyone_may_be_our_own_network() -> None:
    finding = firing(story(asking(SILENT, oem=SILENT)))
    assert finding.corroborated is False


def test_two_silences_are_not_enough() -> None:
    told = story(asking(SILENT), fire={"equals": 0, "for": "0s"})
    told.run(0, BROKEN_AT)
    for tries in (1, 2, 3, 4):
        assert told.board is not None
        said = told.detection._testimony.failing("consumer-health", NAVIXY, BROKEN_AT + 15 * (tries - 1))
        assert said is (True if tries >= 3 else None)
        told.tick(BROKEN_AT + 15 * tries)


@pytest.mark.parametrize(
    ("ok", "corroborated", "why"),
    [(False, True, "the manager says that it does not run"), (True, False, "the manager says that it runs")],
)
def test_the_managers_word_counts(ok: bool, corroborated: bool, why: str) -> None:
    unit = Evidence(900, ok=ok, body={"state": "RUNNING" if ok else "EXITED", "pid": 7 if ok else 0})

    def ask(fetch: Fetch, now: float) -> Evidence:
        said = asking(SILENT, unit, oem=SILENT)(fetch, now)
        return said if fetch.asked is Asked.PROBE else Evidence(now, ok=ok, body=unit.body)

    assert firing(story(ask)).corroborated is corroborated, why


def test_nothing_is_corroborated_while_the_next_stage_still_takes_in() -> None:
    still_flowing = flow(lambda at: 2 * at)
    assert firing(story(asking(REFUSED), still_flowing)).corroborated is False


def test_nothing_is_corroborated_while_the_next_stage_cannot_be_seen() -> None:
    dark = flow()
    dark.up = lambda at: at < BROKEN_AT
    assert firing(story(asking(REFUSED), dark)).corroborated is False


def test_witnesses_are_asked_only_while_something_fails() -> None:
    told = story(asking(REFUSED))
    told.run(0, BROKEN_AT - 15)
    assert {fetch.asked for fetch in told.asked} == {Asked.SOURCE, Asked.PROBE}
    told.run(BROKEN_AT, 700)
    units = {fetch.unit for fetch in told.asked if fetch.asked is Asked.UNIT}
    assert units == {"ingestion-navixy"}


def test_a_label_that_would_leave_its_place_is_never_part_of_a_question() -> None:
    told = story(asking(REFUSED))
    told.detection._members.note("x", (scope_of({"provider": "../../etc"}),), np.array([True]), 0)
    told.run(0, 700)
    assert all(".." not in fetch.unit for fetch in told.asked)


def test_another_detector_that_fires_corroborates() -> None:
    silent = {
        "failure_mode": "provider_outage",
        "signal": {"increase": {"of": "packets_total", "by": ["provider"]}},
        "fire": {"equals": 0, "for": "5m"},
        "corroborate": {"any": [{"detector": "errors", "is": "firing"}]},
    }
    errors = {
        "failure_mode": "provider_outage",
        "signal": {"ratio": {"of": "errors_total", "to": "tries_total", "by": ["provider"]}},
        "fire": {"above": "50%", "for": "5m"},
    }
    labels = (("provider", "navixy"),)
    telemetry = FakeTelemetry(
        {
            Series("packets_total", labels): lambda at: 2 * min(at, 300.0),
            Series("tries_total", labels): lambda at: at,
            Series("errors_total", labels): lambda at: max(at - 900.0, 0.0),
        }
    )
    specs = {
        name: DetectorSpec.model_validate(spec) for name, spec in (("silent", silent), ("errors", errors))
    }
    told = Story(Detection(Sections({"main": PROM}, specs), 0), {"main": telemetry})
    seen = {}
    for at in range(0, 1500, 15):
        told.tick(at)
        assert told.board is not None
        finding = told.board.findings.get(("silent", NAVIXY))
        seen[at] = finding.corroborated if finding else None
    assert seen[885] is False
    assert seen[1485] is True


def test_a_probe_signal_fires_and_clears_by_its_own_answers() -> None:
    def ask(fetch: Fetch, now: float) -> Evidence:
        bad = fetch.asked is Asked.PROBE and fetch.scope == NAVIXY and 600 <= now < 900
        return Evidence(now, ok=not bad, status=500 if bad else 200)

    told = story(ask).run(0, 1200)
    assert told.events("fired", "cleared") == [("fired", 720.0), ("cleared", 960.0)]
    assert {t.scope for t in told.transitions} == {NAVIXY}


def test_a_question_that_could_not_be_put_is_unknown_not_a_failure() -> None:
    def ask(fetch: Fetch, now: float) -> Evidence:
        if fetch.asked is Asked.PROBE and fetch.scope == NAVIXY and now >= 600:
            return Evidence(now, ok=False, error="'vars.address' is undefined")
        return Evidence(now, ok=True, status=200)

    told = story(ask).run(0, 1200)
    assert told.events("fired") == []
    assert dict(told.events())["no_data"] >= 900


def test_the_barrier_waits_for_the_probes_first_round() -> None:
    told = story(asking(""))
    jobs = told.detection.due(0)
    assert {job.kind for job in jobs} == {"fetch", "probe"}
    for job in jobs:
        if job.kind == "fetch":
            told.hand_back(job, 0)
    board = told.detection.evaluate(0)
    assert board is not None
    assert not board.all_rounds_done
    for job in jobs:
        if job.kind == "probe":
            told.hand_back(job, 0)
    board = told.detection.evaluate(0)
    assert board is not None
    assert board.all_rounds_done
