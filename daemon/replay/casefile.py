"""A file of cases: series as one writes them, and the events a configuration should make of them.

The file is laid over the configuration it names, so `detectors` and `inventory` in it add and override by name, and
every mistake is told at its own line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self, cast

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from config.loader import Loaded
from config.loader import load as load_files
from config.problems import ConfigError, Gravity, Problem, Wrong, did_you_mean
from config.regular import read_regular
from config.scope import scope_of
from config.section import Section
from config.units import Duration
from config.yamlfile import MAX_BYTES, Node, parse_yaml
from daemon.app.build import sections_of
from daemon.detect.plan import Sections, plan_of
from daemon.replay.backtest import Event, EventState, unjudgeable
from daemon.replay.labels import Instant
from daemon.replay.notation import MOST_SAMPLES, Story, parse_series, parse_story
from daemon.settings.checks import cross_check
from daemon.settings.load import load as load_settings
from daemon.settings.model import Settings
from detectors.promql import wanted_by
from detectors.samples import Series
from detectors.spec import FileSource, LabelName, Name, Telemetry

MOST_CASES = 1_000
MOST_SERIES = 10_000
"""Of one case."""
MOST_TICKS = 500_000
"""Evaluations of all cases of a file."""
BEGIN = 1_767_571_200.0
"""A Monday, 2026-01-05T00:00:00Z: where a case begins that does not say."""
KEYS = frozenset({"config", "pack", "interval", "evaluation_interval", "detectors", "inventory", "cases"})
_PLAIN: Telemetry = {"cases": FileSource(type="file", path="cases")}
SLACK = 1e-3
"""Seconds by which an instant may be off for the arithmetic of floats."""


def _files(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _between(value: tuple[float, float]) -> tuple[float, float]:
    if value[1] < value[0]:
        raise Wrong("it ends before it begins", "write the earlier one first, as in [7m, 7m30s]")
    return value


Span = tuple[Duration, Duration]


class Expected(Section):
    """One event that has to come. Times are counted from the begin of the case."""

    detector: Name
    scope: dict[LabelName, str] = Field(default_factory=dict)
    state: EventState
    at: Duration | None = None
    between: Span | None = None

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if (self.at is None) == (self.between is None):
            raise Wrong("give exactly one time", "use at: 7m, or between: [7m, 7m30s]")
        _between(self.span)
        return self

    @property
    def span(self) -> tuple[float, float]:
        """Seconds from the begin of the case."""
        if self.between is not None:
            return self.between
        at = self.at or 0.0
        return at, at

    def met_by(self, event: Event, start: float) -> bool:
        """Whether this event is the one."""
        low, high = self.span
        return (event.detector, event.scope, event.state) == (
            self.detector,
            scope_of(self.scope),
            self.state,
        ) and low - SLACK <= event.at - start <= high + SLACK


class Forbidden(Section):
    """Events that must not come; what is left out is any. A scope forbids all that have its labels."""

    detector: Name | None = None
    scope: dict[LabelName, str] = Field(default_factory=dict)
    state: EventState | None = None
    between: Span | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _between(self.between or (0.0, 0.0))
        return self

    def met_by(self, event: Event, start: float) -> bool:
        """Whether this event is forbidden."""
        low, high = self.between or (float("-inf"), float("inf"))
        return (
            self.detector in {None, event.detector}
            and self.state in {None, event.state}
            and set(scope_of(self.scope)) <= set(event.scope)
            and low - SLACK <= event.at - start <= high + SLACK
        )


class Case(Section):
    """`only`: the detectors that are looked at; left out: all that read one of the series, and all expected ones.

    `strict`: events that are not expected are failures.
    """

    name: str = Field(min_length=1, max_length=200)
    start: Instant = BEGIN
    series: dict[str, Annotated[Story, PlainValidator(parse_story)]] = Field(
        min_length=1, max_length=MOST_SERIES
    )
    expect: tuple[Expected, ...] = Field(max_length=1_000)
    forbid: tuple[Forbidden, ...] = Field((), max_length=1_000)
    until: Duration | None = None
    only: tuple[Name, ...] | None = Field(None, min_length=1)
    strict: bool = True

    @property
    def length(self) -> int:
        """Samples of the longest series."""
        return max(story.length for story in self.series.values())


class CaseFile(Settings):
    """The configuration with its cases: what a file of cases is read as, once laid over what it names."""

    version: Literal[1] = 1
    telemetry: Telemetry = Field(default_factory=lambda: dict(_PLAIN))
    config: Annotated[tuple[Path, ...], BeforeValidator(_files)] = ()
    interval: Annotated[Duration, Field(ge=0.1, le=86_400)] = 30.0
    evaluation_interval: Annotated[Duration, Field(ge=0.1, le=86_400)] | None = None
    cases: tuple[Case, ...] = Field((), max_length=MOST_CASES)

    @property
    def step(self) -> float:
        """Seconds between evaluations."""
        return self.evaluation_interval or self.interval

    def until(self, case: Case) -> float:
        """Seconds from the begin of a case to its end: its last sample, unless it says otherwise."""
        return case.until if case.until is not None else (case.length - 1) * self.interval


@dataclass(frozen=True, slots=True)
class Suite:
    """A file of cases that loaded. `interval`: seconds between samples."""

    file: Path
    sections: Sections
    interval: float
    cases: tuple[Case, ...]
    ends: tuple[float, ...]
    """Of each case: seconds from its begin."""
    series: tuple[Mapping[Series, Story], ...]
    """Of each case."""


def load_cases(file: Path, environment: Mapping[str, str]) -> Suite:
    """Raises `ConfigError` with every problem at its line, those of the configuration it names included."""
    configs = _configs(file)
    if configs:
        load_settings(configs, environment=environment)

    def check(loaded: Loaded[CaseFile]) -> None:
        _check(loaded, str(file))

    loaded = load_files([*configs, file], CaseFile, environment=environment, check=check)
    model = loaded.model
    return Suite(
        file,
        _of_samples(model),
        model.interval,
        model.cases,
        tuple(model.until(case) for case in model.cases),
        tuple({parse_series(text): story for text, story in case.series.items()} for case in model.cases),
    )


def readers(sections: Sections) -> dict[str, frozenset[str]]:
    """The metrics that each enabled detector reads."""
    return {
        name: frozenset(item.name for item in wanted_by(rule))
        for name, rule in plan_of(sections).rules.items()
    }


def _of_samples(model: CaseFile) -> Sections:
    """Every source is the samples of the case."""
    telemetry = dict.fromkeys(model.telemetry, _PLAIN["cases"])
    return replace(sections_of(model), telemetry=telemetry, poll_interval=model.step)


def _configs(file: Path) -> list[Path]:
    """The files named under `config`, beside this one. What is wrong with them is found when the whole is read."""
    try:
        content = read_regular(file, MAX_BYTES)
        tree, _ = parse_yaml(content[:MAX_BYTES].decode("utf-8-sig"), str(file))
    except (OSError, UnicodeDecodeError):
        return []
    node = tree.child("config") if tree is not None else None
    if tree is None or node is None:
        return []
    items = node.value if isinstance(node.value, list) else [node]
    return [_config(file, item) for item in items]


def _config(file: Path, node: Node) -> Path:
    if not isinstance(node.value, str) or "\0" in node.value:
        text = "expected the path of a configuration"
        raise ConfigError([Problem(str(file), node.line, "config", text, "write config: fleetmend.yaml")])
    path = file.parent / node.value
    if not path.is_file():
        text = f"no such file: {node.value!r}"
        raise ConfigError(
            [Problem(str(file), node.line, "config", text, "a path is relative to the file of cases")]
        )
    return path


def _check(loaded: Loaded[CaseFile], file: str) -> None:
    """What the configuration's own check has said, or what no case depends on, is not said again."""
    cross_check(cast("Loaded[Settings]", loaded))  # a file of cases is settings, and is only read
    loaded.problems = [
        one
        for one in loaded.problems
        if one.file == file and one.severity is Gravity.ERROR and one.path.partition(".")[0] in KEYS
    ]
    for key in loaded.names(()):
        if key not in KEYS and key in Settings.model_fields and loaded.where((key,))[0] == file:
            hint = did_you_mean(key, KEYS) or "put it into a configuration, and name that under config"
            loaded.problem((key,), "does not belong in a file of cases", hint)
    cases = loaded.model.cases
    if not cases:
        if not (isinstance(loaded.data, dict) and loaded.data.get("cases")):
            hint = "add cases: [{name: …, series: {…}, expect: []}]"
            loaded.problem(("cases",), "there is no case in it", hint)
        return
    names = [case.name for case in cases]
    for name, count in Counter(names).items():
        if count > 1:
            place = ("cases", names.index(name), "name")
            loaded.problem(place, f"{count} cases are named so", "give each a name of its own")
    _check_bounds(loaded)
    sections = _of_samples(loaded.model)
    read = readers(sections)
    why = {
        name: reason
        for name, rule in plan_of(sections).rules.items()
        if (reason := unjudgeable(rule, sections))
    }
    for index, case in enumerate(cases):
        _check_series(loaded, index, case, frozenset().union(*read.values()))
        _check_names(loaded, index, case, why)


def _check_bounds(loaded: Loaded[CaseFile]) -> None:
    model = loaded.model
    samples = sum(story.length for case in model.cases for story in case.series.values())
    if samples > MOST_SAMPLES:
        loaded.problem(("cases",), f"{samples} samples, more than {MOST_SAMPLES}", "split the file")
    ticks = sum(model.until(case) / model.step for case in model.cases)
    if ticks > MOST_TICKS:
        loaded.problem(("cases",), f"{ticks:.0f} evaluations, more than {MOST_TICKS}", "split the file")


def _check_series(loaded: Loaded[CaseFile], index: int, case: Case, read: frozenset[str]) -> None:
    seen: set[Series] = set()
    for text in case.series:
        place = ("cases", index, "series", text)
        try:
            series = parse_series(text)
        except Wrong as wrong:
            loaded.problem(place, wrong.problem, wrong.hint)
            continue
        if series in seen:
            loaded.problem(place, "this series stands twice", "remove one of them")
        seen.add(series)
        if series.name not in read and not loaded.broken:
            hint = did_you_mean(series.name, read) or "a histogram is written by its _bucket series"
            loaded.problem(place, f"no detector reads {series.name}", hint)


def _check_names(loaded: Loaded[CaseFile], index: int, case: Case, why: Mapping[str, str]) -> None:
    """`why`: detectors that samples cannot judge."""
    known = loaded.model.detectors
    for place, name in _named(case):
        path = ("cases", index, *place)
        if name not in known:
            loaded.unknown(path, "detector", name, known)
        elif name in why:
            loaded.problem(path, f"{name} cannot be judged: {why[name]}", "leave it out")
        elif case.only is not None and name not in case.only:
            loaded.problem(path, f"{name} is not among those looked at", "add it to only")
    end = loaded.model.until(case)
    for number, expected in enumerate(case.expect):
        if expected.span[0] > end + SLACK:
            place = ("cases", index, "expect", number)
            loaded.problem(place, "lies behind the end of the case", "add until, or samples")


def _named(case: Case) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for number, expected in enumerate(case.expect):
        yield ("expect", number, "detector"), expected.detector
    for number, forbidden in enumerate(case.forbid):
        if forbidden.detector is not None:
            yield ("forbid", number, "detector"), forbidden.detector
    for number, name in enumerate(case.only or ()):
        yield ("only", number), name
