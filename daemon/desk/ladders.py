"""Playbooks as JSON: every ladder, how far it may go by itself, and how it has fared."""

from __future__ import annotations

from daemon.desk.models import Model
from daemon.desk.reports import Earned


class PlaybookRung(Model):
    """`autonomy`: what is left of it under the global ceiling. `tried`, `recovered`: so far, by the journal.

    `earned`: what its record says, null where records do not count.
    """

    name: str
    kind: str
    action: str
    when: str | None
    require: str | None
    autonomy: str
    tried: int
    recovered: int
    earned: Earned | None = None


class Playbook(Model):
    name: str
    failure_mode: str
    match: dict[str, str | list[str]]
    deadline_s: float
    escalation: str
    cooldown_s: float
    budget: str
    ladder: list[PlaybookRung]


class Playbooks(Model):
    playbooks: list[Playbook]
