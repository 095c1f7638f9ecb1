"""The contract of the file door, on a real file system and on the fake."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.files import FileDoor
from remediations.ports import Files, TooLarge, Unreachable
from tests.fakes.ports import FakeFiles


class OnDisk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: Files = FileDoor()

    def version(self, name: str, made_at: float) -> None:
        (self.folder / name).mkdir()
        os.utime(self.folder / name, (made_at, made_at))

    def link(self, to: str) -> Path:
        (self.folder / "current").symlink_to(to)
        return self.folder / "current"


class InMemory:
    def __init__(self) -> None:
        self.folder = Path("/srv/mapping")
        self.fake = FakeFiles()
        self.files: Files = self.fake

    def version(self, name: str, made_at: float) -> None:
        self.fake.add_version(self.folder, name, made_at)

    def link(self, to: str) -> Path:
        self.fake.links[self.folder / "current"] = Path(to)
        return self.folder / "current"


@pytest.fixture(params=["disk", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> OnDisk | InMemory:
    return OnDisk(tmp_path) if request.param == "disk" else InMemory()


def test_versions_come_oldest_first_and_ties_by_name(world: OnDisk | InMemory) -> None:
    for name, made_at in (("v003", 30.0), ("v001", 20.0), ("v002", 20.0)):
        world.version(name, made_at)
    assert world.files.list_versions(world.folder) == (("v001", 20.0), ("v002", 20.0), ("v003", 30.0))


def test_a_link_changed_when_it_was_switched_or_a_file_behind_it_was_written(tmp_path: Path) -> None:
    disk = OnDisk(tmp_path)
    disk.version("v001", 1.0)
    link = disk.link("v001")
    os.utime(link, (50.0, 50.0), follow_symlinks=False)
    assert disk.files.changed_at(link) == 50.0
    written = tmp_path / "v001" / "ingestion.toml"
    written.write_text("batch = 3")
    os.utime(written, (70.0, 70.0))
    assert disk.files.changed_at(link) == 70.0
    (tmp_path / "gone").symlink_to("nowhere")
    with pytest.raises(Unreachable, match="cannot be followed"):
        disk.files.changed_at(tmp_path / "gone")


def test_a_swapped_link_points_where_it_was_told(world: OnDisk | InMemory) -> None:
    world.version("v001", 1.0)
    world.version("v002", 2.0)
    link = world.link("v002")
    world.files.swap_link(link, Path("v001"))
    assert world.files.read_link(link) == Path("v001")
    assert world.files.exists(link)


def test_a_program_is_runnable_by_its_path_or_name_if_it_may_be_started(tmp_path: Path) -> None:
    door, program = FileDoor(), tmp_path / "tell"
    program.write_text("#!/bin/sh\n")
    assert not door.runnable(str(program))
    program.chmod(0o755)
    assert door.runnable(str(program))
    assert door.runnable("sh")
    assert not door.runnable("no-such-program-anywhere")


def test_what_is_no_link_is_unreachable(world: OnDisk | InMemory) -> None:
    with pytest.raises(Unreachable):
        world.files.read_link(world.folder / "nothing")


def test_versions_of_a_folder_that_is_not_there_are_unreachable(world: OnDisk | InMemory) -> None:
    with pytest.raises(Unreachable):
        world.files.list_versions(world.folder / "nothing")


def test_a_link_into_nowhere_does_not_exist(world: OnDisk | InMemory) -> None:
    world.version("v001", 1.0)
    assert not world.files.exists(world.link("v999"))


# ---- what only a real file system can break ----


def test_files_links_and_hidden_folders_are_no_versions(tmp_path: Path) -> None:
    disk = OnDisk(tmp_path)
    disk.version("v001", 1.0)
    disk.version(".git", 2.0)
    disk.link("v001")
    (tmp_path / "notes.txt").write_text("x")
    assert [name for name, _ in disk.files.list_versions(tmp_path)] == ["v001"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_swap_never_overwrites_what_is_no_link(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "current"
    if kind == "file":
        place.write_text("precious")
    else:
        place.mkdir()
    with pytest.raises(Unreachable):
        FileDoor().swap_link(place, Path("v001"))
    assert not place.is_symlink()
    assert [entry.name for entry in tmp_path.iterdir()] == ["current"]


def test_a_refused_swap_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        FileDoor().swap_link(tmp_path / "missing" / "current", Path("v001"))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[list[str]]:
    """Reads through the link all the time; collects every failure."""
    for name in ("v001", "v002"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mapping.yaml").write_text(name)
    (tmp_path / "current").symlink_to("v001")
    failures: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                (tmp_path / "current" / "mapping.yaml").read_text()
            except OSError as error:
                failures.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    yield failures
    stop.set()
    thread.join()


def test_a_reader_never_finds_the_link_missing_during_swaps(tmp_path: Path, reader: list[str]) -> None:
    for number in range(200):
        FileDoor().swap_link(tmp_path / "current", Path(f"v00{number % 2 + 1}"))
    assert reader == []


def test_a_file_is_read_whole_or_not_at_all(world: OnDisk | InMemory) -> None:
    path = world.folder / "oncall.ics"
    with pytest.raises(Unreachable, match="cannot be read"):
        world.files.read(path, 10)
    if isinstance(world, OnDisk):
        path.write_bytes(b"0123456789")
    else:
        world.fake.contents[path] = b"0123456789"
    assert world.files.read(path, 10) == b"0123456789"
    with pytest.raises(TooLarge, match="larger than 9 bytes"):
        world.files.read(path, 9)


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unreachable, match="named pipe"):
        FileDoor().read(tmp_path / "pipe", 10)
