"""Whether a daemon runs on a store, seen without touching its lock: a look that took it could keep one from starting."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.store.engine import place
from daemon.store.lease import Lease

RENEWED_WITHIN = 60.0
"""Seconds: a leader on a shared database that said nothing for longer is not taken for alive."""
LOCKS = Path("/proc/locks")


def runs(url: str, lease: Lease | None, now: float, *, locks: Path = LOCKS) -> bool:
    """Whether the store's daemon is there: by its lock file on SQLite, by its lease elsewhere."""
    where = place(url)
    if where.path is None:
        return lease is not None and now - lease.renewed_at < RENEWED_WITHIN
    lock = where.path.with_name(where.path.name + ".lock")
    try:
        seen = lock.stat()
        table = locks.read_text(encoding="ascii")
    except FileNotFoundError:
        return lock.exists() and _process_of(lock)
    except OSError:
        return False
    device = f"{os.major(seen.st_dev):02x}:{os.minor(seen.st_dev):02x}"
    words = {word for line in table.splitlines() if "FLOCK" in line for word in line.split()}
    if f"{device}:{seen.st_ino}" in words:
        return True
    # An overlay may show another device number there than here: then the inode and the process decide.
    return any(word.endswith(f":{seen.st_ino}") for word in words) and _process_of(lock)


def _process_of(lock: Path) -> bool:
    """Whether the process named in the lock file lives."""
    try:
        os.kill(int(lock.read_text(encoding="ascii")), 0)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True
