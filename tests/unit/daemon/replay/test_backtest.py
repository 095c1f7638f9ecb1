"""Backtest: the numbers of known cases, whatever the chunking; what cannot be judged is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.detect.plan import Sections
from daemon.detect.sources.base import Wanted
from daemon.detect.sources.file import Recording
from daemon.replay.backtest import Phase, Replayed, backtest
from detectors.samples import Batch, Failed, Series
from detectors.spec import DetectorSpec, FileSource
from tests.fakes.prometheus import open_metrics, scrapes

BEGIN, STEP = 1_700_000_000.0, 30.0
STOPPED = {
    "failure_mode": "ingestion_stopped",
    "signal": {"increase": {"of": "packets", "window": "1m"}},
    "fire": {"equals": 0, "for": "5m"},
    "clear": {"above": 0, "for": "1m"},
}


def recorded(folder: Path, steps: list[float | str | None]) -> tuple[Recording, FileSource, float]:
    """Packets that grow by these steps; None: not in the scrape; `stale`: the scrape failed."""
    total, values, ups = 1000.0, [], []
    for step in steps:
        total += step if isinstance(step, float) else 0.0
        values.append(None if step is None else total)
        ups.append(step != "stale")
    rows = {Series("packets", ()): values}
    path = folder / "series.om"
    path.write_text(open_metrics(scrapes(rows, ups, begin=BEGIN, step=STEP)), encoding="utf-8")
    spec = FileSource(type="file", path=str(path))
    return Recording("main", spec), spec, BEGIN + STEP * (len(steps) - 1)


def replayed(folder: Path, steps: list[float | str | None], **more: Any) -> Replayed:
    source, spec, end = recorded(folder, steps)
    detectors = {"stopped": DetectorSpec.model_validate(STOPPED)}
    sections = Sections({"main": spec}, detectors, poll_interval=STEP)
    return backtest(sections, {"main": source}, more.pop("start", BEGIN), end, **more)


def told(found: Replayed) -> list[tuple[str, float]]:
    return [(event.state.value, (event.at - BEGIN) / 60) for event in found.events]


@pytest.mark.parametrize("chunk", [30.0, 37 * 30.0, 86_400.0])
def test_one_failed_scrape_in_an_outage_does_not_start_the_hold_anew_whatever_the_chunks(
    tmp_path: Path, chunk: float
) -> None:
    """Row 3 of the case list: 5x4 0x6 stale 0x12, `for: 5m` fires at 7:00; Prometheus fires at 10:30."""
    found = replayed(tmp_path, [5.0] * 5 + [0.0] * 6 + ["stale"] + [0.0] * 12 + [5.0] * 10, chunk=chunk)
    assert told(found) == [("fired", 7.0), ("cleared", 13.0)]
    phases = {one.phase: (one.end - one.start) / 60 for one in found.stretches}
    assert phases == {Phase.PENDING: 4.5, Phase.FIRING: 6.0, Phase.UNKNOWN: 0.5}


def test_what_already_fires_at_the_start_fires_at_the_start(tmp_path: Path) -> None:
    found = replayed(tmp_path, [5.0] * 5 + [0.0] * 40, start=BEGIN + 15 * 60)
    assert told(found) == [("fired", 15.0)]


def test_curves_of_scopes_that_did_something_are_kept_when_asked_for(tmp_path: Path) -> None:
    (curve,) = replayed(tmp_path, [5.0] * 5 + [0.0] * 20, curves=True).curves.values()
    assert len(curve.times) == len(curve.values) > 20
    assert (curve.values[-1], max(curve.values[~(curve.values != curve.values)])) == (0.0, 10.0)


def test_probes_and_absent_series_are_said_not_to_be_judged(tmp_path: Path) -> None:
    source, spec, end = recorded(tmp_path, [5.0] * 20)
    other = {**STOPPED, "signal": {"increase": {"of": "nothing", "window": "1m"}}}
    probe = {**STOPPED, "signal": {"probe": "health"}}
    detectors = {
        name: DetectorSpec.model_validate(one) for name, one in (("a", STOPPED), ("b", other), ("c", probe))
    }
    found = backtest(Sections({"main": spec}, detectors, poll_interval=STEP), {"main": source}, BEGIN, end)
    assert found.not_judged == {"b": "no series named nothing", "c": "a probe's answers are not recorded"}


class Gap:
    """A source that fails in the middle of its history."""

    name = "main"

    def __init__(self, inner: Recording, begin: float, end: float) -> None:
        self.inner, self.begin, self.end = inner, begin, end

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        if since is not None and self.begin <= since < self.end:
            return Failed("main", now, "connection refused")
        return self.inner.fetch(wanted, since, now, deadline)

    def close(self) -> None:
        self.inner.close()


def test_a_part_that_cannot_be_read_is_unknown_and_said_and_fires_nothing(tmp_path: Path) -> None:
    source, spec, end = recorded(tmp_path, [5.0] * 10 + [0.0] * 20 + [5.0] * 30)
    detectors = {"stopped": DetectorSpec.model_validate(STOPPED)}
    broken = Gap(source, BEGIN + 300, BEGIN + 900)
    sections = Sections({"main": spec}, detectors, poll_interval=STEP)
    found = backtest(sections, {"main": broken}, BEGIN, end, chunk=300.0)
    assert "fired" not in [state for state, _ in told(found)]
    assert found.not_judged == {"stopped": "in part: connection refused"}
    assert any(one.phase is Phase.UNKNOWN for one in found.stretches)


def test_a_source_that_failed_is_not_told_as_a_metric_that_is_missing(tmp_path: Path) -> None:
    source, spec, end = recorded(tmp_path, [5.0] * 20)
    nothing = {**STOPPED, "signal": {"increase": {"of": "nothing", "window": "1m"}}}
    broken = Gap(source, BEGIN, BEGIN + 300)
    sections = Sections({"main": spec}, {"b": DetectorSpec.model_validate(nothing)}, poll_interval=STEP)
    found = backtest(sections, {"main": broken}, BEGIN, end, chunk=300.0)
    assert found.not_judged == {"b": "in part: connection refused"}


def test_a_span_that_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="before the start"):
        replayed(tmp_path, [5.0] * 5, start=BEGIN + 1e6)
