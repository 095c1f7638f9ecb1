"""A recorded file plays back what was scraped."""

from __future__ import annotations

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
