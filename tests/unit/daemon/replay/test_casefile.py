"""Files of cases: every mistake at its line, a configuration beside it, and what makes a case fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.problems import ConfigError
from daemon.replay.casefile import load_cases
from daemon.replay.cases import Outcome, run_case

DETECTOR = """\
detectors:
  silent:
    failure_mode: ingestion_stopped
    signal: {increase: {of: packets, window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 1m}
"""
HEAD = f"interval: 30s\npack: none\n{DETECTOR}cases:\n"
STORY = '"0 +5x4 +0x15"'


def written(folder: Path, text: str, name: str = "cases.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def outcomes(path: Path) -> list[Outcome]:
    suite = load_cases(path, {})
    return [run_case(suite, case) for case in suite.cases]


def outcome(folder: Path, case: str) -> Outcome:
    (only,) = outcomes(written(folder, f"{HEAD}  - {{name: one, {case}}}\n"))
    return only


def problems(path: Path) -> dict[tuple[int, str], str]:
    with pytest.raises(ConfigError) as caught:
        load_cases(path, {})
    assert all(one.hint for one in caught.value.problems)
    return {(one.line, one.path): one.problem for one in caught.value.problems}


def test_the_expected_event_at_its_time_passes(tmp_path: Path) -> None:
    assert outcome(
        tmp_path, f"series: {{packets: {STORY}}}, expect: [{{detector: silent, state: fired, at: 7m}}]"
    ).passed


@pytest.mark.parametrize(
    ("case", "failing", "reason"),
    [
        ("expect: [{detector: silent, state: fired, at: 7m30s}]", "missing surplus", "another time"),
        (
            "expect: [{detector: silent, scope: {a: b}, state: fired, at: 7m}]",
            "missing surplus",
            "another scope",
        ),
        ("expect: [{detector: silent, state: cleared, at: 7m}]", "missing surplus", "another state"),
        ("expect: []", "surplus", "nothing was to happen"),
        ("expect: [], strict: false", "", "what is not listed is let pass"),
        ("expect: [], strict: false, forbid: [{state: fired}]", "forbidden", "but not what is forbidden"),
        ("expect: [], strict: false, forbid: [{between: [0s, 6m]}]", "", "outside the forbidden time"),
        ("expect: [], strict: false, forbid: [{scope: {a: b}}]", "", "another scope is forbidden"),
        (
            "expect: [{detector: silent, state: fired, at: 7m}, {detector: silent, state: fired, at: 7m}]",
            "missing",
            "one event meets one expectation",
        ),
        ("expect: [], until: 6m", "", "the case ends before"),
    ],
)
def test_what_makes_a_case_fail(tmp_path: Path, case: str, failing: str, reason: str) -> None:
    found = outcome(tmp_path, f"series: {{packets: {STORY}}}, {case}")
    wrong = {name for name in ("missing", "surplus", "forbidden") if getattr(found, name)}
    assert wrong == set(failing.split()), reason
    assert found.passed is not bool(failing)


def test_narrow_times_are_met_before_wide_ones(tmp_path: Path) -> None:
    story = '"0 +5x4 +0x12 +5x5 +0x12"'
    found = outcome(
        tmp_path,
        f"series: {{packets: {story}}}, strict: false, expect: ["
        "{detector: silent, state: fired, between: [0s, 16m]}, {detector: silent, state: fired, at: 7m}]",
    )
    assert found.passed


def test_a_failed_scrape_counts_for_every_series_of_its_target_and_for_no_other(tmp_path: Path) -> None:
    by_tier = DETECTOR.replace("window", "by: [tier], window")
    series = """\
  - name: one
    series:
      'packets{tier="hot",instance="a"}': "0 +5x4 stalex20"
      'packets{tier="warm",instance="a"}': "0 +5x24"
      'packets{tier="cold",instance="b"}': "0 +5x24"
    expect: []
    strict: false
"""
    (found,) = outcomes(written(tmp_path, f"interval: 30s\npack: none\n{by_tier}cases:\n{series}"))
    assert {(event.scope[0][1], event.state.value) for event in found.events} == {
        ("hot", "no_data"),
        ("warm", "no_data"),
    }


def test_detectors_without_a_series_in_the_case_are_not_looked_at_unless_named(tmp_path: Path) -> None:
    other = "  other: {failure_mode: ingestion_stopped, signal: {increase: {of: bytes, window: 1m}}, fire: {equals: 0, for: 5m}}\n"
    head = HEAD.replace("cases:\n", f"{other}cases:\n")
    case = 'series: {packets: "0 +5x30"}, expect: []'
    unnamed, named = outcomes(
        written(tmp_path, f"{head}  - {{name: a, {case}}}\n  - {{name: b, {case}, only: [silent, other]}}\n")
    )
    assert unnamed.passed
    assert [(event.detector, event.state.value) for event in named.surplus] == [("other", "no_data")]


def test_a_case_is_laid_over_the_configuration_it_names(tmp_path: Path) -> None:
    source = "telemetry: {main: {type: prometheus, url: 'http://127.0.0.1:1'}}\n"
    written(tmp_path, f"version: 1\npack: none\n{source}{DETECTOR}", "own.yaml")
    case = f"cases: [{{name: one, series: {{packets: {STORY}}}, expect: [{{detector: silent, state: fired, at: AT}}]}}]\n"
    plain = written(tmp_path, "config: own.yaml\n" + case.replace("AT", "7m"), "plain.yaml")
    faster = "config: [own.yaml]\ndetectors: {silent: {fire: {for: 3m}}}\n" + case.replace("AT", "5m")
    assert [one.passed for one in outcomes(plain)] == [True]
    assert [one.passed for one in outcomes(written(tmp_path, faster, "faster.yaml"))] == [True]


def test_mistakes_of_the_configuration_are_told_at_its_own_lines(tmp_path: Path) -> None:
    written(tmp_path, "version: 1\npack: none\npoll_interval: 15\n", "own.yaml")
    path = written(tmp_path, "config: own.yaml\ncases: []\n")
    with pytest.raises(ConfigError) as caught:
        load_cases(path, {})
    assert [(Path(one.file).name, one.line) for one in caught.value.errors] == [("own.yaml", 3)]


def test_mistakes_of_form_are_told_at_their_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"""\
interval: 30
pack: none
{DETECTOR}detektors: {{}}
cases:
  - name: one
    series: {{packets: 0x20}}
    expect:
      - {{detector: silent, state: fird, at: 7m}}
      - {{detector: silent, state: fired, at: 7m, between: [1m, 2m]}}
      - {{detector: silent, state: fired, between: [3m, 2m]}}
  - series: {{packets: "0x20"}}
    expct: []
""",
    )
    assert {line for line, _ in problems(path)} == {1, 9, 12, 14, 15, 16, 17, 18}


def test_mistakes_of_meaning_are_told_at_their_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"""\
pack: none
telemetry: {{}}
{DETECTOR}  asks: {{failure_mode: ingestion_stopped, signal: {{promql: "up"}}, fire: {{above: 0}}}}
cases:
  - name: one
    series:
      pakets: "0x20"
      'a{{': "0x20"
      packets{{}}: "0x20"
      packets: "0x20"
    only: [silent, slient]
    expect:
      - {{detector: silent, state: fired, at: 7h}}
      - {{detector: asks, state: fired, at: 7m}}
    forbid: [{{detector: nobody}}]
  - name: one
    series: {{packets: "0x20"}}
    expect: []
""",
    )
    assert {line for line, _ in problems(path)} == {2, 11, 13, 14, 16, 17, 19, 20, 21}


@pytest.mark.parametrize(
    ("cases", "reason"),
    [
        ("", "no case"),
        (' [{name: a, series: {packets: "0x1500000 0x600000"}, expect: []}]', "too many samples of a file"),
        (
            ' [{name: a, series: {packets: "0"}, expect: [], until: 4000d}]',
            "more evaluations than a file may have",
        ),
    ],
)
def test_files_are_bounded(tmp_path: Path, cases: str, reason: str) -> None:
    found = problems(written(tmp_path, f"pack: none\n{DETECTOR}cases:{cases}\n"))
    assert any(path.startswith("cases") for _, path in found), reason


def test_a_configuration_that_is_not_there_is_told_where_it_is_named(tmp_path: Path) -> None:
    assert problems(written(tmp_path, "\nconfig: gone.yaml\ncases: []\n")) == {
        (2, "config"): "no such file: 'gone.yaml'"
    }
