"""Drills as the faces show them: JSON models, and the rows turned into them."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.desk.instants import Instant
from daemon.desk.models import GateAnswer, Model
from daemon.errors import NotFound
from daemon.incidents import drills
from daemon.store.unit import UnitOfWork


class DrillCheck(Model):
    """One question. `grade`: passed | held | failed | unasked."""

    name: str
    grade: str
    text: str


class DrillRung(Model):
    """A rung at one scope. `gates`: every guardrail's answer, as if the failure had come now."""

    name: str
    kind: str
    action: str
    grade: str
    targets: list[str]
    checks: list[DrillCheck]
    gates: list[GateAnswer]


class DrillScope(Model):
    """The playbook at one scope: what concerns all of it, then its rungs."""

    scope: dict[str, str]
    grade: str
    checks: list[DrillCheck]
    rungs: list[DrillRung]


class DrillScore(Model):
    """Of `asked` questions so many `passed`."""

    passed: int
    asked: int


class Drill(Model):
    """One drill. `id`: empty for one that was not written down. `state`: asked | real | passed | failed | refused."""

    id: str
    playbook: str
    at: Instant
    ended_at: Instant | None
    by: str
    scheduled: bool
    for_real: bool
    state: str
    score: DrillScore
    note: str
    scopes: list[DrillScope]


class Drills(Model):
    """Newest first."""

    drills: list[Drill]


def newest(uow: UnitOfWork, playbook: str | None, limit: int) -> Drills:
    """The newest drills, of one playbook or of all."""
    return Drills(drills=[shown(row) for row in uow.drills.newest(playbook, limit=limit)])


def one(uow: UnitOfWork, drill_id: str) -> Drill:
    """The drill of this id. Raises `NotFound`."""
    row = uow.drills.get(drill_id)
    if row is None:
        raise NotFound(f"there is no drill {drill_id!r}")
    return shown(row)


def shown(row: drills.Drill) -> Drill:
    """A row as the contract shows it."""
    passed, asked = row.score
    return Drill(
        id=row.id,
        playbook=row.playbook,
        at=row.at,
        ended_at=row.ended_at,
        by=row.who,
        scheduled=bool(row.plan),
        for_real=row.for_real,
        state=row.state,
        score=DrillScore(passed=passed, asked=asked),
        note=row.note,
        scopes=[
            DrillScope(
                scope=dict(part.scope),
                grade=part.grade,
                checks=_checks(part.checks),
                rungs=[_rung(rung) for rung in part.rungs],
            )
            for part in row.scopes
        ],
    )


def _rung(rung: drills.RungDrill) -> DrillRung:
    return DrillRung(
        name=rung.name,
        kind=rung.kind,
        action=rung.action,
        grade=rung.grade,
        targets=[*rung.targets],
        checks=_checks(rung.checks),
        gates=[GateAnswer.model_validate(gate) for gate in rung.gates],
    )


def _checks(checks: Iterable[drills.Check]) -> list[DrillCheck]:
    return [DrillCheck(name=check.name, grade=check.grade, text=check.text) for check in checks]
