"""A recorded file plays back what was scraped."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from daemon.detect.sources.base import Wanted
from daemon.detect.sources.file import Recording
from detectors.samples import Batch, Failed
from detectors.spec import FileSource

WANTED = Wanted(frozenset({"writes_total"}))
TEXT = """\
# HELP writes attempts
# TYPE writes counter
writes_total{tier="hot"} 10 1000
writes_total{tier="hot"} 12 1030
writes_total{tier="hot"} 15 1060
other_total 1 1000
# EOF
"""


def recording(folder: Path, text: str) -> Recording:
    path = folder / "series.om"
    path.write_text(text)
    return Recording("tape", FileSource(type="file", path=str(path)))


def fetch(tape: Recording, since: float | None, now: float) -> Batch:
    got = tape.fetch(WANTED, since, now, 1e9)
    assert isinstance(got, Batch)
    return got


def test_plays_back_what_lies_after_since_up_to_now(tmp_path: Path) -> None:
    tape = recording(tmp_path, TEXT)
    for since, now, expected in ((None, 2000, [10, 12, 15]), (1000, 1030, [12]), (1060, 2000, [])):
        values = [value for block in fetch(tape, since, now).blocks for value in block.values[:, 0]]
        assert values == expected


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    tape = recording(tmp_path, TEXT)
    fetch(tape, None, 2000)
    recording(tmp_path, TEXT.replace("# EOF", 'writes_total{tier="hot"} 20 1090\n# EOF'))
    (block,) = fetch(tape, None, 2000).blocks
    np.testing.assert_array_equal(block.times, [1000, 1030, 1060, 1090])


def test_a_file_that_breaks_off_says_so(tmp_path: Path) -> None:
    assert fetch(recording(tmp_path, TEXT), None, 2000).warnings == ()
    assert fetch(recording(tmp_path, TEXT.replace("# EOF\n", "")), None, 2000).warnings


@pytest.mark.parametrize("text", ["writes_total 1\n", "writes_total{a=b} 1 2\n", None])
def test_a_file_that_cannot_be_used_is_a_failure(tmp_path: Path, text: str | None) -> None:
    tape = recording(tmp_path, text or "")
    if text is None:
        (tmp_path / "series.om").unlink()
    assert isinstance(tape.fetch(WANTED, None, 2000, 1e9), Failed)


def test_tells_the_span_of_the_metrics_asked_for(tmp_path: Path) -> None:
    tape = recording(tmp_path, TEXT.replace("other_total 1 1000", "other_total 1 5000"))
    assert tape.span(frozenset({"writes_total"})) == (1000, 1060)
    assert tape.span(frozenset({"writes_total", "other_total"})) == (1000, 5000)
    assert tape.span(frozenset({"unheard_total"})) is None


def test_two_sources_read_one_file_once_and_get_only_what_each_wants(tmp_path: Path) -> None:
    first = recording(tmp_path, TEXT)
    second = Recording("other", FileSource(type="file", path="-"), beside=first)
    assert first.span(frozenset({"writes_total", "other_total"})) == (1000, 1060)
    (tmp_path / "series.om").touch()
    for tape, name in ((first, "writes_total"), (second, "other_total")):
        got = tape.fetch(Wanted(frozenset({name})), None, 2000, 1e9)
        assert isinstance(got, Batch)
        assert got.source == tape.name
        assert {series.name for block in got.blocks for series in block.series} == {name}


def test_a_long_recording_is_the_same_in_one_go_and_in_parts(tmp_path: Path) -> None:
    """Three days, over the turns of the days; one series ends early, one begins late, `up` goes on throughout."""
    begin = 1_790_000_000
    lines = [
        f'{name}{{instance="a:1",job="x"}} {n} {begin + 600 * n}'
        for name, first, last in (("up", 0, 432), ("writes_total", 0, 300), ("late", 200, 432))
        for n in range(first, last)
    ]
    tape = recording(tmp_path, "\n".join([*lines, "# EOF\n"]))
    wanted = Wanted(frozenset({"writes_total", "late"}))

    def samples(since: float, until: float, parts: int) -> dict[tuple[object, float], float]:
        edges = np.linspace(since, until, parts + 1).tolist()
        found: dict[tuple[object, float], float] = {}
        for since_then, now in pairwise(edges):
            got = tape.fetch(wanted, since_then, now, 1e9)
            assert isinstance(got, Batch)
            for block in got.blocks:
                for row, column in zip(*np.nonzero(~np.isnan(block.values)), strict=True):
                    key = (block.series[column], float(block.times[row]))
                    assert key not in found
                    found[key] = float(block.values[row, column])
        return found

    whole = samples(begin - 1, begin + 300_000, 1)
    assert len(whole) == 432 + 300 + 232
    for parts in (2, 7, 61):
        assert samples(begin - 1, begin + 300_000, parts) == whole


def test_a_failure_names_file_and_line(tmp_path: Path) -> None:
    tape = recording(tmp_path, TEXT.replace("15 1060", "15 later"))
    got = tape.fetch(WANTED, None, 2000, 1e9)
    assert isinstance(got, Failed)
    assert got.reason.startswith(f"{tmp_path / 'series.om'}:5: ")
