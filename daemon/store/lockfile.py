"""One daemon per SQLite file: a lock that the kernel drops with the process, whatever ends it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from daemon.errors import AlreadyRunning, StoreSick


class Lockfile:
    """Holds `path` (made when missing, never removed: removing it would let two hold "the" lock)."""

    def __init__(self, path: Path) -> None:
        """Take the lock or raise `AlreadyRunning`, naming the process that has it."""
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreSick(f"store cannot be locked: {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise AlreadyRunning(
                f"another daemon (process {holder}) uses this store; its lock is {path}"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
