"""A store whose daemon dies at a chosen commit, just before it (nothing of it is kept) or just after it; or that is full
for a while from a chosen commit on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.errors import StoreSick
from daemon.replay.virtual import Killed
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork


class MortalStore(Store):
    """`commits` counts units of work that write; the daemon dies once, at number `dies_at`."""

    commits = 0
    dies_at: int | None = None
    before = False
    died = False
    full_at: int | None = None
    full_for = 3
    """Commits that are refused from `full_at` on."""

    @contextmanager
    def write(self, *, epoch: int | None = None) -> Iterator[UnitOfWork]:
        self.commits += 1
        mine = self.commits == self.dies_at
        if self.full_at is not None and 0 <= self.commits - self.full_at < self.full_for:
            raise StoreSick("database or disk is full")
        with super().write(epoch=epoch) as uow:
            yield uow
            if mine and self.before:
                self._die()
        if mine:
            self._die()

    def _die(self) -> None:
        if not self.died:
            self.died = True
            raise Killed(f"commit {self.commits}")
