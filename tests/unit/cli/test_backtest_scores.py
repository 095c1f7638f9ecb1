"""backtest --labels and --report: scores against what people judged, and one page to keep."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.cli.test_backtest import BEGIN, CONFIG, Bench


@pytest.fixture
def bench(tmp_path: Path, fleetmend: Run) -> Bench:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(url="http://127.0.0.1:1"))
    return Bench(config, tmp_path / "series.om", fleetmend)


def test_labels_give_scores_with_their_bounds(bench: Bench, tmp_path: Path) -> None:
    labels = tmp_path / "labels.yaml"
    labels.write_text(
        f"incidents: [{{start: {BEGIN + 1200}, end: {BEGIN + 2400}, detector: depth-high}}]\n"
        f"quiet: [{{start: {BEGIN}, end: {BEGIN + 900}}}]\n"
    )
    document = json.loads(bench.recorded("--labels", labels, "--json").out)
    (score,) = [one for one in document["scores"] if one["name"] == "depth-high"]
    assert (score["incidents"], score["found"], score["precision"], score["violations"]) == (1, 1, 1.0, 0)
    assert score["detected_after_s"]["max"] == 300
    assert score["recall_bounds"][0] == pytest.approx(0.21, abs=0.01)
    shown = bench.recorded("--labels", labels)
    assert "1 of 1" in shown.out
    assert "100% (21% to 100%)" in shown.out


def test_a_labels_file_with_a_mistake_ends_the_command_at_its_line(bench: Bench, tmp_path: Path) -> None:
    labels = tmp_path / "labels.yaml"
    labels.write_text("incidents:\n  - {start: soon, end: 3}\n")
    said = bench.recorded("--labels", labels)
    assert said.code == 2
    assert "labels.yaml:2: incidents[0].start" in said.err


def test_the_report_is_one_page_that_asks_nobody_and_escapes_what_it_shows(
    bench: Bench, tmp_path: Path
) -> None:
    labels, page = tmp_path / "labels.yaml", tmp_path / "report.html"
    labels.write_text(
        f'incidents: [{{start: {BEGIN + 1200}, end: {BEGIN + 2400}, detector: depth-high, note: "<b>disk</b>"}}]\n'
    )
    assert bench.recorded("--labels", labels, "--report", page).code == 0
    text = page.read_text()
    assert "1 of 1 incidents were found, 5m after their start in the median; 0.0 false alarms a week." in text
    assert text.count("<svg") == 1
    assert "<b>disk" not in text
    assert not re.search(r"""(src|href)=|url\(|<script|@import""", text.replace("url(#", ""))
    assert "a probe&#39;s answers are not recorded" in text


def test_a_report_that_cannot_be_written_is_said(bench: Bench, tmp_path: Path) -> None:
    said = bench.recorded("--report", tmp_path / "nowhere" / "report.html")
    assert (said.code, "cannot be written" in said.err) == (2, True)
