"""A store whose daemon dies at a chosen commit: just before it (nothing of it is kept) or just after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.replay.virtual import Killed
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork


class MortalStore(Store):
    """`commits` counts units of work that write; the daemon dies once, at number `dies_at`."""

    commits = 0
    dies_at: int | None = None
    before = False
    died = False

    @contextmanager
    def write(self, *, epoch: int | None = None) -> Iterator[UnitOfWork]:
        self.commits += 1
        mine = self.commits == self.dies_at
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
