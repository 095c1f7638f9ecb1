"""Records: what the journal says of each rung, and what its autonomy should be by it."""

from __future__ import annotations

from collections.abc import Iterator

from daemon.desk import reports
from daemon.desk.known import Known
from daemon.store.unit import UnitOfWork
from remediations.earned import record_of, standing
from remediations.spec import Rung


def earned(uow: UnitOfWork, known: Known, playbook: str, rung: Rung, now: float) -> reports.Earned | None:
    """A rung's record at `now`; None where records do not count."""
    if known.earned is None:
        return None
    counted = uow.attempts.verdicts_since(playbook, rung.name, now - known.earned.window)
    found = standing(record_of(counted), rung.autonomy, known.earned)
    return reports.Earned(
        playbook=playbook,
        rung=rung.name,
        autonomy=rung.autonomy,
        helped=found.record.helped,
        in_vain=found.record.in_vain,
        unknown=found.record.unknown,
        self_resolved=found.record.self_resolved,
        at_least=round(found.record.at_least, 4),
        suggests=found.suggests,
        demoted=found.demoted,
    )


def suggestions(uow: UnitOfWork, known: Known, now: float) -> Iterator[reports.Earned]:
    """The rungs whose record suggests another autonomy than they are configured with."""
    for name, book in sorted(known.playbooks.items()):
        for rung in book.ladder if book.enabled else ():
            found = earned(uow, known, name, rung, now)
            if found is not None and found.suggests is not None:
                yield found
