"""Observations with gates, findings on the board, and their witnesses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from config.scope import scope_of
from config.section import FailureMode, Severity
from detectors.board import FindingState
from detectors.corroborate import Witnesses, corroborated
from detectors.expected import listed_scopes
from detectors.findings import SourceWatch, board_of, findings_of
from detectors.machine import advance
from detectors.observe import BREACH, OK, UNKNOWN, observe, switched_off
from detectors.rule import Gate, Matcher, Rule, Signal, Test
from detectors.spec import Corroborate, Expected, SeenWithin
from detectors.state import fresh_state
from detectors.values import Quality
from tests.fakes.samples import seen, ticks

HOT, WARM = scope_of({"tier": "hot"}), scope_of({"tier": "warm"})


def rule(**more: Any) -> Rule:
    base: dict[str, Any] = {
        "name": "storage-writes",
        "mode": FailureMode.STORAGE_FAILURE,
        "severity": Severity.CRITICAL,
        "source": "main",
        "signal": Signal("gauge", ("g",), by=("tier",)),
        "fire": Test("above", 0.5, 60.0),
        "clear": Test("below", 0.5, 60.0),
        "no_data_for": 300.0,
        "step": 30.0,
    }
    return Rule(**{**base, **more})


def after(the_rule: Rule, *rows: str, scopes: Any = (HOT, WARM)) -> Any:
    at = ticks(len(rows[0]))
    state, _ = advance(the_rule, fresh_state(the_rule), *seen(*rows, at=at, scopes=scopes[: len(rows)]), at)
    return state


STATES = [
    ("fine is no finding", "OOOO", None, None),
    ("a breach is pending", "OBB", FindingState.PENDING, None),
    ("held, it fires", "BBBB", FindingState.FIRING, None),
    ("firing and fine for less than the clear hold is clearing", "BBBBO", FindingState.CLEARING, None),
    ("firing and not seen is firing, blind since the first sample that is missing", "BBBBUU", FindingState.FIRING, 120.0),
    ("missing for its hold is no data", "O" + "U" * 12, FindingState.NO_DATA, 30.0),
    ("missing for less is nothing yet", "OUUU", None, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "letters", "state", "blind_since"), STATES, ids=[case[0] for case in STATES]
)
def test_finding(reason: str, letters: str, state: FindingState | None, blind_since: float | None) -> None:
    found = findings_of(rule(), after(rule(), letters))
    assert (found[0].state if found else None) == state, reason
    assert (found[0].blind_since if found else None) == blind_since


def test_a_finding_says_what_since_when_and_why_it_is_blind() -> None:
    found = findings_of(rule(), after(rule(), "OBBBB" + "U" * 11))[0]
    assert (found.failure_mode, found.scope, found.severity) == ("storage_failure", HOT, "critical")
    assert (found.since, found.value, found.threshold, found.observed_at) == (
        30.0,
        1.0,
        "> 0.5 for 1m",
        120.0,
    )
    assert found.blind
    assert found.reason == "source main: scrape failed"


def test_a_source_that_is_down_is_said_once_and_firing_is_not_forgotten() -> None:
    state = after(rule(), "BBBB" + "U" * 12, "O" + "U" * 15)
    apart = board_of(450.0, [(rule(), state)], all_rounds_done=True, sources_down={})
    down = board_of(450.0, [(rule(), state)], all_rounds_done=True, sources_down={"main": (100.0, "refused")})
    assert {scope: one.state for (_, scope), one in apart.findings.items()} == {
        HOT: "firing",
        WARM: "no_data",
    }
    assert {scope: one.reason for (_, scope), one in down.findings.items()} == {HOT: "source main: refused"}
    assert down.populations == {"storage_failure": frozenset({HOT, WARM})}


def test_a_source_is_down_after_its_hold() -> None:
    watch = SourceWatch(hold=60.0)
    watch.failed(0.0, "refused")
    watch.failed(60.0, "timed out")
    assert (watch.down(59.0), watch.down(60.0)) == (None, (0.0, "timed out"))
    watch.answered()
    assert watch.down(600.0) is None


PROBE, DETECTOR, UNIT = {"probe": "p", "is": "failing"}, {"detector": "d", "is": "firing"}, {"manager": "m", "unit": "u", "is": "down"}  # fmt: skip
SAID = [
    ("any", [PROBE, DETECTOR], Witnesses({"p": True}), True, "one is enough"),
    ("any", [PROBE, DETECTOR], Witnesses({"p": False}), None, "the other has not spoken"),
    ("any", [PROBE, DETECTOR], Witnesses({"p": False}, {"d": False}), False, "all said no"),
    ("all", [PROBE, UNIT], Witnesses({"p": True}), None, "the other has not spoken"),
    ("all", [PROBE, UNIT], Witnesses({"p": True}, down={("m", "u"): True}), True, "all said yes"),
    ("all", [PROBE, UNIT], Witnesses(down={("m", "u"): False}), False, "one no is enough"),
    ("any", [PROBE], Witnesses({"p": None}), None, "an unknown answer is none"),
]


@pytest.mark.parametrize(("how", "spec", "said", "expected", "reason"), SAID, ids=[f"{c[0]}: {c[4]} {i}" for i, c in enumerate(SAID)])  # fmt: skip
def test_corroborated(how: str, spec: Any, said: Witnesses, expected: bool | None, reason: str) -> None:
    assert corroborated(Corroborate.model_validate({how: spec}), said) is expected, reason


def test_nothing_asked_is_nothing_said() -> None:
    assert corroborated(None, Witnesses()) is None


def fires(the_rule: Rule, letters: str, **around: Any) -> list[int]:
    _, values = seen(letters, at=ticks(len(letters)), scopes=[HOT])
    return observe(the_rule, values, **around).fire[:, 0].tolist()


def test_little_expected_traffic_excuses_a_breach_and_none_known_makes_it_unknown() -> None:
    gated = rule(expected=Expected(at_least=10, per="10m"))  # type: ignore[arg-type]  # written as in YAML
    assert fires(gated, "BO", expected=np.full((2, 1), 50.0)) == [BREACH, OK]
    assert fires(gated, "BO", expected=np.full((2, 1), 5.0)) == [OK, OK]
    assert fires(gated, "BO", expected=np.full((2, 1), math.nan)) == [UNKNOWN, OK]
    assert fires(gated, "BO") == [UNKNOWN, OK]


def test_a_scope_without_history_takes_the_fleets_median() -> None:
    gated = rule(expected=Expected(at_least=10, per="10m"))  # type: ignore[arg-type]  # written as in YAML
    _, values = seen("B", "B", "B", at=ticks(1))
    usual = np.array([[5.0, math.nan, 7.0]])
    assert observe(gated, values, expected=usual).fire.tolist() == [[OK, OK, OK]]
    assert observe(gated, values, expected=usual * 10).fire.tolist() == [[BREACH, BREACH, BREACH]]


def test_a_gate_that_is_unknown_makes_a_breach_unknown() -> None:
    gated = rule(gate=Gate(Signal("gauge", ("in",)), 0.5))
    _, gate = seen("BOU", at=ticks(3), scopes=[scope_of({})])
    assert fires(gated, "BBB", gate=gate) == [BREACH, OK, UNKNOWN]
    assert fires(gated, "OOO", gate=gate) == [OK, OK, OK]
    assert fires(gated, "BBB", gate=None) == [UNKNOWN, UNKNOWN, UNKNOWN]


def test_suspended_scopes_are_fine_and_miss_no_telemetry() -> None:
    _, values = seen("BU", at=ticks(2), scopes=[HOT])
    off = observe(rule(), values, off=switched_off(values.scopes, frozenset({HOT})))
    assert (off.fire[:, 0].tolist(), off.dark.any()) == ([OK, OK], np.False_)
    assert observe(rule(), values, off=switched_off(values.scopes, frozenset({WARM}))).fire[
        :, 0
    ].tolist() == [BREACH, UNKNOWN]


def test_the_inventory_lists_the_scopes_of_a_signal_as_far_as_it_can() -> None:
    tiers: dict[str, tuple[str, ...] | SeenWithin] = {
        "tier": ("hot", "cold"),
        "x": SeenWithin(seen_within="7d"),
    }  # type: ignore[arg-type]  # written as in YAML
    by_tier = Signal("increase", ("w",), by=("tier",))
    assert listed_scopes(by_tier, tiers) == (HOT, scope_of({"tier": "cold"}))
    assert listed_scopes(
        Signal("increase", ("w",), by=("tier",), where=(Matcher("tier", ("hot",)),)), tiers
    ) == (HOT,)
    assert listed_scopes(Signal("increase", ("w",), by=("x",)), tiers) == ()
    assert listed_scopes(Signal("increase", ("w",)), tiers) == (scope_of({}),)
    assert listed_scopes(Signal("probe", ("probe:p",)), tiers) == ()


def test_qualities_are_ordered_by_how_telling_they_are() -> None:
    assert Quality.WARMING < Quality.ABSENT < Quality.STALE < Quality.PARTIAL < Quality.DOWN < Quality.SKEWED
