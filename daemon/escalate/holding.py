"""What holds the first page of an incident beside mutes and working hours: the storm it is part of."""

from __future__ import annotations

from daemon.escalate.owed import NEVER_QUIET, UNSENT_FOR, Held
from daemon.incidents.model import STORM, Incident
from daemon.store.unit import UnitOfWork


def by_storm(uow: UnitOfWork, incident: Incident, now: float) -> Held | None:
    """A storm's own page is held by none, nor is what nothing quiets."""
    storm = None if incident.failure_mode in {STORM, *NEVER_QUIET} else uow.incidents.storm()
    if storm is None or now >= storm.detected_at + UNSENT_FOR:
        return None
    return Held(f"storm {storm.id}, whose page stands for it", storm.detected_at + UNSENT_FOR)
