"""Opens a file that somebody named: a regular file and nothing else, for a pipe or a device would keep us waiting."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotRegular(OSError):
    """What stands at the path is no regular file; `strerror` says what it is."""


def kind_of(mode: int) -> str:
    """What a path that is no regular file is, from the mode that `stat` tells."""
    return next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")


def read_regular(path: Path, limit: int) -> bytes:
    """At most `limit` + 1 bytes, so that a longer file shows. Raises OSError, or its kind `NotRegular`."""
    # Without O_NONBLOCK opening a pipe waits for its writer.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except ValueError as error:  # a NUL in the path
        raise OSError(0, str(error)) from None
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise NotRegular(0, f"it is {kind_of(mode)}, not a file")
        return _read(handle, limit + 1)
    finally:
        os.close(handle)


def _read(handle: int, size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0 and (part := os.read(handle, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
