"""A store that is full for a while from a chosen commit on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.errors import StoreSick
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork


class MortalStore(Store):
    """`commits` counts units of work that write."""

    commits = 0
    full_at: int | None = None
    full_for = 3
    """Commits that are refused from `full_at` on."""

    @contextmanager
    def write(self, *, epoch: int | None = None) -> Iterator[UnitOfWork]:
        self.commits += 1
        if self.full_at is not None and 0 <= self.commits - self.full_at < self.full_for:
            raise StoreSick("database or disk is full")
        with super().write(epoch=epoch) as uow:
            yield uow
