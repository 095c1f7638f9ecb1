"""A recorded file read fast says what the line decoder says, whatever its order and whatever is written in it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.detect.sources.exposition import Decoder, Malformed, Tally
from daemon.detect.sources.tape import Tape
from detectors.samples import Series

WANTED = frozenset({"a", "b_total", "c_bucket"})
HEADS = (
    "a",
    'a{x="1"}',
    'a{x="2"}',
    'a{x="}"}',
    'a{x="# {"}',
    'a{y="\\"\\\\n é"}',
    'b_total{x="1",y="2"}',
    "aa",
    'other{x="1"}',
)

numbers = st.sampled_from(
    ["1", "0.5", "1e-07", "NaN", "+Inf", "-Inf", "1.", ".5", "-0", "17976931348623157e292"]
) | (st.floats().map(repr) | st.integers(0, 10**20).map(str))
runs = st.lists(
    st.tuples(
        st.sampled_from(HEADS),
        st.lists(numbers, min_size=1, max_size=30),
        st.integers(0, 2**31),
        st.sampled_from(["", "", "", ' # {trace_id="x"} 0.5', "\r", "  "]),
        st.sampled_from(["\n", "\n", "\n\n", "\n# HELP a text\n"]),
    ),
    max_size=12,
)


def told(path: Path, piece: int = 8_000_000) -> dict[Series, tuple[list[float], list[float]]]:
    tape = Tape(WANTED, piece=piece)
    tape.read(path)
    return {track.series: (track.times.tolist(), track.values.tolist()) for track in tape.tracks()}


def slowly(text: str) -> dict[Series, tuple[list[float], list[float]]]:
    found: dict[Series, dict[float, float]] = {}
    for sample in Decoder(WANTED).read(text, Tally()):
        assert sample.at is not None
        found.setdefault(sample.series, {}).setdefault(sample.at, sample.value)
    return {
        series: (sorted(samples), [samples[at] for at in sorted(samples)])
        for series, samples in found.items()
    }


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=runs, piece=st.sampled_from([7, 100, 4096, 8_000_000]), long=st.booleans())
def test_reads_what_the_line_decoder_reads(
    tmp_path: Path, written: list[tuple[str, list[str], int, str, str]], piece: int, long: bool
) -> None:
    lines = [
        f"{head} {value} {begin + n}{tail}{gap}"
        for head, values, begin, tail, gap in written
        for n, value in enumerate(values * (20 if long else 1))
    ]
    text = "".join(lines)
    path = tmp_path / "tape.om"
    path.write_text(text, newline="")
    got, expected = told(path, piece), slowly(text)
    assert got.keys() == expected.keys()
    for series, (times, values) in expected.items():
        np.testing.assert_array_equal(got[series][0], times)
        np.testing.assert_array_equal(got[series][1], values)


def write(folder: Path, text: str) -> Path:
    path = folder / "tape.om"
    path.write_text(text)
    return path


def test_times_in_milliseconds_are_the_text_formats(tmp_path: Path) -> None:
    lines = [f'a{{x="1"}} {n} {1_790_000_000_500 + 15_000 * n}\n' for n in range(100)]
    tape = Tape(WANTED)
    tape.read(write(tmp_path, "".join(lines)))
    (track,) = tape.tracks()
    assert track.times.tolist() == [1_790_000_000.5 + 15 * n for n in range(100)]
    assert tape.milliseconds


GOOD = "".join(f'a{{x="1"}} {n} {1000 + n}\n' for n in range(500))


@pytest.mark.parametrize(
    ("line", "said", "why"),
    [
        ('a{x="1"} 1', "no timestamp", "a run breaks off"),
        ('a{x="1"} 1 NaN', "no timestamp", "a time that is none"),
        ('a{x="1"} 1 +Inf', "no timestamp", "a time without an end"),
        ('a{x="1"} one 5', "cannot read value and time", "a text for a number"),
        ('a{x="1"} 1 2 3', "cannot read value and time", "one number too many"),
        ('a{x="1} 1 2', "cannot read the line", "a label that does not end"),
        ('a{x="1",x="2"} 1 2', "a label stands twice", "a label given twice"),
    ],
)
def test_what_cannot_be_read_is_told_with_file_and_line(
    tmp_path: Path, line: str, said: str, why: str
) -> None:
    path = write(tmp_path, f"{GOOD}{line}\n{GOOD}")
    for piece in (100, 8_000_000):
        with pytest.raises(Malformed) as caught:
            told(path, piece)
        assert str(caught.value).startswith(f"{path}:501: ")
        assert said in str(caught.value)


def test_text_that_is_not_utf_8_is_told_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "tape.om"
    path.write_bytes(GOOD.encode() + b'a{x="\xff"} 1 2\n')
    with pytest.raises(Malformed, match=r":501: "):
        told(path)


def test_a_line_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="a line longer than"):
        told(write(tmp_path, "a" * 3_000_000), piece=600_000)


@pytest.mark.parametrize(
    ("text", "cut"),
    [("a 1 10\na 2 20\n", False), ("a 1 10\na 2 20\na 3 1", True), ("a 1 10\na 2 20\na 3", True)],
)
def test_a_last_line_that_breaks_off_is_left_out_and_said(tmp_path: Path, text: str, cut: bool) -> None:
    """`30` cut to `3` would be a sample of another time."""
    path = write(tmp_path, text)
    assert told(path)[Series("a", ())] == ([10, 20], [1, 2])
    tape = Tape(WANTED)
    tape.read(path)
    assert tape.cut == cut


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("a 1 2\n# EOF\n", True),
        ("a 1 2\n# EOF", True),
        ("a 1 2\n", False),
        ("# EOF\na 1 2\n", False),
        ("", False),
    ],
)
def test_knows_whether_the_file_is_whole(tmp_path: Path, text: str, ended: bool) -> None:
    tape = Tape(WANTED)
    tape.read(write(tmp_path, text))
    assert tape.ended is ended


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.sampled_from(
            [
                b"a",
                b'a{x="1"} ',
                b"{",
                b"}",
                b'"',
                b"\\",
                b" ",
                b"\n",
                b"1 2\n",
                b"#",
                b"# EOF\n",
                b"\xff",
                b"\r",
                b"e",
                b"1e999 5\n",
            ]
        ),
        max_size=40,
    ),
    piece=st.sampled_from([5, 8_000_000]),
)
def test_no_text_does_more_than_be_refused(tmp_path: Path, parts: list[bytes], piece: int) -> None:
    path = tmp_path / "tape.om"
    path.write_bytes(b"".join(parts))
    with contextlib.suppress(Malformed):
        told(path, piece)
