"""What is kept comes back as it was; what is damaged counts as not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.replay.shelf import Shelf, default_folder
from detectors.samples import Block, Series

ASKED = {"place": "p", "names": ["a"], "queries": [], "begin": 0.0, "end": 60.0}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LABELS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    rows = draw(st.integers(0, 5))
    series = tuple(
        Series(name, labels) for name, labels in draw(st.lists(st.tuples(TEXT, LABELS), max_size=4))
    )
    cells = draw(st.lists(st.floats(width=64), min_size=rows * len(series), max_size=rows * len(series)))
    values = np.array(cells, dtype=np.float64).reshape(rows, len(series))
    return Block(draw(LABELS), np.arange(rows, dtype=np.float64) + draw(st.floats(0, 2e9)), series, values)


def same(one: tuple[Block, ...] | None, other: tuple[Block, ...]) -> None:
    assert one is not None
    assert [(block.target, block.series) for block in one] == [
        (block.target, block.series) for block in other
    ]
    for got, expected in zip(one, other, strict=True):
        np.testing.assert_array_equal(got.times, expected.times)
        np.testing.assert_array_equal(got.values, expected.values)
        assert got.values.shape == expected.values.shape


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.lists(blocks(), max_size=4).map(tuple))
def test_what_is_kept_comes_back_as_it_was(tmp_path: Path, kept: tuple[Block, ...]) -> None:
    Shelf(tmp_path).save(ASKED, kept)
    same(Shelf(tmp_path).load(ASKED), kept)


ONE = (
    Block((("job", "x"),), np.array([1.0, 2.0]), (Series("a", (("job", "x"),)),), np.array([[1.0], [2.0]])),
)


def test_another_question_finds_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.save(ASKED, ONE)
    for other in ({"end": 61.0}, {"names": ["b"]}, {"place": "q"}, {"halved": True}):
        assert shelf.load({**ASKED, **other}) is None
    same(shelf.load(ASKED), ONE)


def damage(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return harm


def pickled(path: Path) -> None:
    np.savez(path, header=np.array([{"asked": ASKED}], dtype=object), series=ONE[0].times)


def folded(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (damage(lambda data: b""), "emptied"),
        (damage(lambda data: data[: len(data) // 2]), "cut off"),
        (damage(lambda data: data[:-1]), "a byte short"),
        (damage(lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:]), "a bit turned"),
        (damage(lambda data: os.urandom(len(data))), "overwritten"),
        (damage(lambda data: b"not a zip"), "something else"),
        (pickled, "an object in place of an array"),
        (lambda path: path.unlink(), "gone"),
        (folded, "a folder"),
    ],
)
def test_a_damaged_file_counts_as_not_there_and_is_replaced(
    tmp_path: Path, harm: Callable[[Path], None], why: str
) -> None:
    shelf = Shelf(tmp_path)
    shelf.save(ASKED, ONE)
    (path,) = tmp_path.iterdir()
    harm(path)
    assert shelf.load(ASKED) is None, why
    if path.is_dir():
        return
    shelf.save(ASKED, ONE)
    same(shelf.load(ASKED), ONE)
    assert shelf.trouble == ""


def test_a_byte_that_changed_anywhere_is_seen(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.save(ASKED, ONE)
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    for place in range(0, len(data), 3):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
        if (got := shelf.load(ASKED)) is not None:
            same(got, ONE)


def test_a_folder_that_cannot_be_written_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shelf = Shelf(tmp_path / "file" / "cache")
    shelf.save(ASKED, ONE)
    assert shelf.load(ASKED) is None
    assert "file" in shelf.trouble


def test_nothing_is_left_of_a_file_that_could_not_be_finished(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.save(ASKED, ONE)
    (path,) = tmp_path.iterdir()
    path.unlink()
    path.mkdir()
    shelf.save(ASKED, ONE)
    assert shelf.trouble
    assert [*tmp_path.iterdir()] == [path]


def test_the_oldest_files_go_when_the_bound_is_passed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, most_bytes=4_000)
    for number in range(10):
        shelf.save({**ASKED, "begin": float(number)}, ONE)
        (newest,) = [path for path in tmp_path.iterdir() if path.stat().st_mtime > 10_000]
        os.utime(newest, (number, number))
    (tmp_path / "notes.txt").write_text("somebody's")
    shelf.trim()
    assert sum(path.stat().st_size for path in tmp_path.glob("*.npz")) <= 4_000
    assert shelf.load({**ASKED, "begin": 0.0}) is None
    same(shelf.load({**ASKED, "begin": 9.0}), ONE)
    assert (tmp_path / "notes.txt").exists()


def test_the_folder_is_where_the_desktop_keeps_caches() -> None:
    assert default_folder({"XDG_CACHE_HOME": "/var/cache/me"}) == Path("/var/cache/me/fleetmend")
    for unset in ({}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}):
        assert default_folder(unset) == Path.home() / ".cache" / "fleetmend"
