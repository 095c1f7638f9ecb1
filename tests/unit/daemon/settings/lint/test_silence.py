"""`# lint: ignore CODE`: where it counts, and where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.settings.lint.silence import comments
from tests.fakes.linted import lines, told

QUEUE = """detectors:{section}
{before}  queue-deep:{name}
    failure_mode: ingestion_stopped
    signal: {{gauge: {{of: queue_depth}}}}
    fire: {{above: 1000, for: 0s}}{here}
    clear: {{below: 500, for: 1m}}{other}
"""
IGNORE = "   # lint: ignore hold-under-scrapes"


@pytest.mark.parametrize(
    ("where", "text", "reason"),
    [
        ("here", IGNORE, "the line of the finding"),
        ("name", IGNORE, "the detector's name"),
        ("section", IGNORE, "all detectors"),
        ("before", IGNORE + "\n", "alone on the line before the name"),
        ("here", "   # lint: ignore window-over-hold, hold-under-scrapes", "the second of two codes"),
        ("here", IGNORE + " (averaged at the source)", "a reason after it"),
        ("here", "   #lint:ignore hold-under-scrapes", "no blanks"),
    ],
)
def test_a_comment_silences_what_it_stands_at(tmp_path: Path, where: str, text: str, reason: str) -> None:
    assert told_of(tmp_path, where, text) == [], reason


@pytest.mark.parametrize(
    ("where", "text", "reason"),
    [
        ("here", "", "no comment"),
        ("here", "   # lint: ignore window-over-hold", "another code"),
        ("other", IGNORE, "another line"),
        ("here", "   # hold-under-scrapes is fine here", "words, not the form"),
    ],
)
def test_other_comments_do_not(tmp_path: Path, where: str, text: str, reason: str) -> None:
    assert len(told_of(tmp_path, where, text)) == 1, reason


def told_of(folder: Path, where: str, text: str) -> list[int]:
    parts = dict.fromkeys(("section", "before", "name", "here", "other"), "") | {where: text}
    return lines(told(folder, QUEUE.format(**parts)), "hold-under-scrapes")


def test_what_cannot_work_is_not_silenced(tmp_path: Path) -> None:
    piece = """detectors:   # lint: ignore ratio-of-itself
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: writes_total, to: writes_total}}
    fire: {above: 5%, for: 5m}
"""
    assert lines(told(tmp_path, piece), "ratio-of-itself") == [4]


def test_a_finding_in_the_pack_is_silenced_beside_an_entry_of_its_name(tmp_path: Path) -> None:
    def told_of_total_errors(piece: str) -> int:
        problems = told(tmp_path, f"pack: fleet\n{piece}")
        return sum(
            1 for one in problems if (one.code, one.path.split(".")[1:2]) == ("no-playbook", ["total-errors"])
        )

    entry = "detectors: {total-errors: {severity: critical}}"
    assert told_of_total_errors(entry) == 1
    assert told_of_total_errors(f"{entry}   # lint: ignore no-playbook") == 0


def test_a_comment_alone_counts_for_its_own_line_and_the_next() -> None:
    assert comments("# lint: ignore a-b\nx: 1\ny: 2   # lint: ignore c-d\n") == {
        1: {"a-b"},
        -2: {"a-b"},
        3: {"c-d"},
    }
