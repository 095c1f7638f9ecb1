"""A rung that begins to ask first, because its record became too poor: told once, in the change that made it so."""

from __future__ import annotations

from collections import Counter

from daemon.incidents.events import Event, Kind
from daemon.incidents.records import Attempt
from daemon.mitigate.facts import Rules
from daemon.store.unit import UnitOfWork
from remediations.earned import record_of, standing
from remediations.spec import Rung


def demoted(uow: UnitOfWork, judged: Attempt, rung: Rung, rules: Rules, now: float) -> Event | None:
    """The row that says so; None unless this verdict is the one that tips the record.

    Asked in the transaction that writes the verdict, of the verdicts before it and with it: a level has two sides, and
    this is the only moment between them.
    """
    if rules.earned is None or judged.verdict is None:
        return None
    before = Counter(uow.attempts.verdicts_since(judged.playbook, judged.rung, now - rules.earned.window))
    after = standing(record_of(before + Counter([judged.verdict])), rung.autonomy, rules.earned)
    if not after.demoted or standing(record_of(before), rung.autonomy, rules.earned).demoted:
        return None
    text = f"{judged.rung} asks first from now on: it {after.text}."
    data = {"what": "demoted", "playbook": judged.playbook, "rung": judged.rung, "earned": after.data()}
    return Event(judged.incident, now, Kind.NOTE, text, data)
