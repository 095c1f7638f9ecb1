"""The door to the file system: version folders, and a link that is swapped in one step."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from config.regular import read_regular
from remediations.ports import Files, TooLarge, Unreachable


class FileDoor:
    """Fits `remediations.ports.Files`."""

    def read_link(self, link: Path) -> Path:
        """Where the link points, as written. Raises `Unreachable` when it is no link."""
        try:
            return link.readlink()
        except OSError as error:
            raise Unreachable(f"{link} is no link that can be read: {error.strerror}") from error

    def list_versions(self, folder: Path) -> tuple[tuple[str, float], ...]:
        """(name, modified at in unix seconds) of the sub-folders, oldest first; links and hidden ones do not count.

        Raises `Unreachable` when the folder cannot be read.
        """
        try:
            with os.scandir(folder) as entries:
                found = [
                    (entry.name, entry.stat(follow_symlinks=False).st_mtime)
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
                ]
        except OSError as error:
            raise Unreachable(f"the versions in {folder} cannot be read: {error.strerror}") from error
        return tuple(sorted(found, key=lambda version: (version[1], version[0])))

    def changed_at(self, link: Path) -> float:
        """The newest of the link's own time and those of the files directly in the folder it points at.

        Raises `Unreachable` when it cannot be followed.
        """
        try:
            with os.scandir(link) as entries:
                written = [entry.stat(follow_symlinks=False).st_mtime for entry in entries]
            return max([link.lstat().st_mtime, *written])
        except OSError as error:
            raise Unreachable(f"{link} cannot be followed: {error.strerror}") from error

    def swap_link(self, link: Path, target: Path) -> None:
        """Point the link at `target` by an atomic rename, durable when this returns.

        Raises `Unreachable` when refused, or when a file or folder that is no link stands there; then nothing changed.
        """
        if link.exists() and not link.is_symlink():
            raise Unreachable(f"{link} is no link; it is left alone")
        beside = link.with_name(f".{link.name}.{secrets.token_hex(6)}")
        try:
            beside.symlink_to(target)
            beside.replace(link)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise Unreachable(f"{link} cannot be pointed at {target}: {error.strerror}") from error
        _sync_folder(link.parent)

    def exists(self, path: Path) -> bool:
        """Whether the path leads to something, links followed."""
        return path.exists()

    def read(self, path: Path, max_bytes: int) -> bytes:
        """All of a regular file. Raises `Unreachable` when it cannot be read, `TooLarge` when it is longer."""
        try:
            content = read_regular(path, max_bytes)
        except OSError as error:
            raise Unreachable(f"{path} cannot be read: {error.strerror or error}") from error
        if len(content) > max_bytes:
            raise TooLarge(f"{path} is larger than {max_bytes} bytes")
        return content

    def runnable(self, program: str) -> bool:
        """By its path, or by its name on the daemon's own PATH, as the door to processes finds it."""
        return shutil.which(program) is not None


def _sync_folder(folder: Path) -> None:
    """Best effort: the swap itself is done, some file systems cannot sync a folder."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _fits(door: FileDoor) -> Files:
    """The type checker proves here that the door fits its port."""
    return door
