"""Paying a debt: when it is due, after its pre-check on fresh probes, by its autonomy, through the same journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from config.section import Autonomy
from config.templates import Expression, TemplateError
from daemon.incidents.change import Change, Job
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Debt, DebtState, Phase
from daemon.mitigate.applying import PROBE_TIMEOUT
from daemon.mitigate.debts import moved, next_step
from daemon.mitigate.facts import Control, Rules, mutings, names_for, prepared
from daemon.mitigate.journal import rows_of, time_for
from daemon.store.unit import UnitOfWork
from remediations.guardrails.control import effective_autonomy
from remediations.outcome import Outcome, OutcomeState
from remediations.run import Evidence, Run
from remediations.spec import Playbook

ASK_EVERY = 60.0
"""Seconds between two looks at a debt whose pre-check did not hold."""
DEBT = "debt"
"""First part of the keys of probe jobs that a debt asked for."""


def step(uow: UnitOfWork, debt: Debt, rules: Rules, control: Control, now: float) -> Change | None:
    """One step towards paying; None when it has to wait. A debt is paid only after success."""
    incident, run = uow.incidents.get(debt.incident), uow.runs.get(debt.incident)
    playbook = rules.playbooks.get(debt.playbook)
    if incident is None or run is None or playbook is None or not incident.ended:
        return None
    if debt.state is DebtState.OPEN:
        return moved(Change(), debt, DebtState.DUE, "it is due", now)
    if debt.state is not DebtState.DUE or not debt.plan.get("do"):
        return None
    level = effective_autonomy(Autonomy(debt.autonomy), rules.autonomy)
    if not debt.plan.get("approved_by") and level is not Autonomy.AUTO:
        return moved(Change(), debt, DebtState.PROPOSED, "its return needs a person's approval", now)
    return _pay_or_ask(uow, debt, incident, run, playbook, rules, control, now)


def answered(uow: UnitOfWork, key: str, evidence: Evidence) -> Change | None:
    """A probe's answer for a debt, kept on its plan."""
    _, debt_id, name, _ = key.split("|")
    debt = uow.debts.get(debt_id)
    if debt is None or debt.state is not DebtState.DUE:
        return None
    seen = {**debt.plan.get("evidence", {}), name: evidence.names()}
    return Change(debts=(replace(debt, plan={**debt.plan, "evidence": seen}),))


def decide(
    uow: UnitOfWork, incident_id: str, who: str, now: float, *, approved: bool, rung: str = ""
) -> Change | None:
    """A person's answer to the proposed returns, or to that of `rung` alone; None when none is proposed.

    One that failed is tried once more, or waived: somebody mended it by hand.
    """
    proposed = [
        debt
        for debt in uow.debts.of(incident_id)
        if debt.state in {DebtState.PROPOSED, DebtState.FAILED} and rung in {"", debt.rung}
    ]
    if not proposed:
        return None
    change = Change()
    for debt in proposed:
        if approved:
            ready = replace(debt, plan={**debt.plan, "approved_by": who})
            change = moved(change, ready, DebtState.DUE, f"{who} approved its return", now)
        else:
            change = moved(change, debt, DebtState.WAIVED, f"{who} rejected its return", now)
    return change


def ended(uow: UnitOfWork, attempt: Attempt, outcome: Outcome, now: float) -> Change:
    """The return was carried out, or not. The next step of a return comes only after the one before was done."""
    change = Change()
    for debt in uow.debts.of(attempt.incident):
        if debt.rung == attempt.rung and debt.state is DebtState.PAYING:
            done = outcome.state is OutcomeState.DONE
            rest = next_step(debt, now) if done else None
            if rest is not None:
                change = moved(change, rest, DebtState.OPEN, f"{outcome.effect}; another step follows", now)
                continue
            state = DebtState.PAID if done else DebtState.FAILED
            change = moved(change, debt, state, outcome.effect, now)
    return change


def _pay_or_ask(
    uow: UnitOfWork,
    debt: Debt,
    incident: Incident,
    run: Run,
    playbook: Playbook,
    rules: Rules,
    control: Control,
    now: float,
) -> Change | None:
    asked_at = float(debt.plan.get("asked_at", 0.0))
    seen: Mapping[str, Any] = debt.plan.get("evidence", {})
    complete = playbook.diagnose.keys() <= seen.keys()
    rows = rows_of(uow, incident, run, playbook, now)
    stopped = control.kill_switch() or not control.leader() or rows.storm is not None
    if stopped or any(mutings(rows.mutes, incident, debt.playbook, now)):
        return None
    names = {**names_for(incident, run, rows, rules, now), "facts": seen}
    if (complete and asked_at) or not playbook.diagnose:
        if _holds(debt.plan.get("when"), names):
            return _pay(debt, playbook, names, rules, control, now)
        if now < asked_at + ASK_EVERY:
            return None
    elif now < asked_at + PROBE_TIMEOUT:
        return None
    return _ask(debt, incident, playbook, now)


def _holds(when: str | None, names: Mapping[str, Any]) -> bool:
    if when is None:
        return True
    try:
        return bool(Expression(when).evaluate(names))
    except TemplateError:
        return False


def _ask(debt: Debt, incident: Incident, playbook: Playbook, now: float) -> Change:
    jobs = tuple(
        Job(
            key=f"{DEBT}|{debt.id}|{name}|{now:.3f}",
            kind="probe",
            incident=incident.id,
            deadline_at=now + PROBE_TIMEOUT,
            args={"probe": question.probe, "ok": None, "scope": dict(incident.scope)},
        )
        for name, question in playbook.diagnose.items()
    )
    asked = replace(debt, plan={**debt.plan, "asked_at": now, "evidence": {}})
    return Change(debts=(asked,), jobs=jobs)


def _pay(
    debt: Debt, playbook: Playbook, names: Mapping[str, Any], rules: Rules, control: Control, now: float
) -> Change:
    action = prepared(rules.actions, debt.plan["do"], names, debt.scope)
    if isinstance(action, str):
        return moved(Change(), debt, DebtState.FAILED, action, now)
    attempt = Attempt(
        key=f"{debt.id}/{Phase.RETURN}/{debt.plan.get('step', 1)}/{now:.0f}",
        incident=debt.incident,
        playbook=debt.playbook,
        scope=debt.scope,
        rung=debt.rung,
        kind="return",
        phase=Phase.RETURN,
        action=action.kind,
        args=action.rendered,
        targets=tuple(sorted(action.targets)),
        disruptive=action.disruptive,
        idempotent=action.idempotent,
        on_interrupt="page",
        epoch=control.epoch,
        intended_at=now,
        deadline_at=now + time_for(action.rendered),
        locks=tuple(name for name in (playbook.guardrails.lock,) if name),
    )
    change = moved(Change(), debt, DebtState.PAYING, "its pre-check holds", now)
    return replace(change, attempts=(attempt,))
