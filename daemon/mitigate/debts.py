"""Debts: what a rung switched has to be given back. Opened with the outcome, due after success, paid by `return`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.incidents.records import Attempt, Debt, DebtState
from daemon.store.unit import UnitOfWork
from remediations.spec import ReturnStep, Rung

UNPAID = frozenset({DebtState.OPEN, DebtState.DUE, DebtState.PROPOSED, DebtState.PAYING, DebtState.FAILED})


def opened(change: Change, attempt: Attempt, rung: Rung, now: float) -> Change:
    """The debt of a rung that took effect. Without a `return` it has no due date: a person has to see to it."""
    plan = {} if rung.return_ is None else plan_of(rung.return_.steps)
    debt = Debt(
        id=f"{attempt.incident}/{rung.name}",
        incident=attempt.incident,
        kind=rung.name,
        playbook=attempt.playbook,
        rung=rung.name,
        scope=attempt.scope,
        opened_at=now,
        due_at=None if rung.return_ is None else now + rung.return_.after,
        plan=plan,
        autonomy="propose" if rung.return_ is None else str(rung.return_.autonomy),
    )
    text = f"{rung.name} has to be given back."
    event = Event(attempt.incident, now, Kind.DEBT_OPENED, text, {"debt": debt.id, "due_at": debt.due_at})
    return replace(change, debts=(*change.debts, debt), events=(*change.events, event))


def plan_of(steps: Sequence[ReturnStep]) -> dict[str, Any]:
    """The first of `steps` as kept on the debt, with all that follow."""
    first, *rest = steps
    plan = _asked(first)
    if rest:
        plan["then"] = [
            {**_asked(step), "after": step.after, "autonomy": str(step.autonomy)} for step in rest
        ]
    return plan


def _asked(step: ReturnStep) -> dict[str, Any]:
    plan: dict[str, Any] = {"when": step.when, "do": step.do}
    if step.confirm is not None:
        plan |= {"confirm": step.confirm.model_dump(), "within": step.within}
    return plan


def next_step(debt: Debt, now: float) -> Debt | None:
    """The debt at its next step, with nothing kept of the evidence and the approval of the one before; None: paid."""
    rest = debt.plan.get("then") or []
    if not rest:
        return None
    step = rest[0]
    plan = {name: step[name] for name in ("when", "do", "confirm", "within") if name in step}
    plan["step"] = int(debt.plan.get("step", 1)) + 1
    if rest[1:]:
        plan["then"] = rest[1:]
    return replace(debt, plan=plan, due_at=now + float(step["after"]), autonomy=str(step["autonomy"]))


def undone(uow: UnitOfWork, change: Change, attempt: Attempt, now: float) -> Change:
    """An undo that was carried out pays the rung's debt."""
    owed = [
        debt for debt in uow.debts.of(attempt.incident) if debt.rung == attempt.rung and debt.state in UNPAID
    ]
    for debt in owed:
        change = moved(change, debt, DebtState.PAID, "undone", now)
    return change


def moved(change: Change, debt: Debt, state: DebtState, note: str, now: float) -> Change:
    """A debt in its next state, with the row that says why."""
    text = f"Debt {debt.rung}: {state} ({note})."
    event = Event(debt.incident, now, Kind.DEBT_MOVED, text, {"debt": debt.id, "state": str(state)})
    after = replace(debt, state=state, moved_at=now, note=note)
    return replace(change, debts=(*change.debts, after), events=(*change.events, event))
