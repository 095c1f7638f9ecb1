"""Paying a debt: when it is due, after its pre-check on fresh probes, by its autonomy, through the same journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from config.section import Autonomy
from daemon.incidents.change import Change, Job
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Debt, DebtState, Phase
from daemon.mitigate import returning
from daemon.mitigate.applying import PROBE_TIMEOUT
from daemon.mitigate.debts import moved, next_step
from daemon.mitigate.facts import Control, Rules, names_for, prepared
from daemon.mitigate.journal import rows_of, time_for
from daemon.mitigate.step import CONFIRM
from daemon.store.unit import UnitOfWork
from remediations.actions.registry import Prepared
from remediations.guardrails.control import effective_autonomy
from remediations.guardrails.gate import Answer
from remediations.outcome import Outcome, OutcomeState
from remediations.run import Evidence, Run
from remediations.spec import Check, Playbook

ASK_EVERY = 60.0
"""Seconds between two looks at a debt whose pre-check did not hold; older answers count for nothing."""
CONFIRM_EVERY = 5.0
"""Seconds between two looks whether a return took effect."""
CONFIRM_WITHIN = 60.0
"""Seconds for that, where the plan says nothing."""
APPROVAL_LASTS = 1800.0
"""Seconds for which a person's word stands for a return whose incident is not over: what they looked at changes."""
MOVING = frozenset({DebtState.OPEN, DebtState.DUE, DebtState.PAYING})
"""States that go on by themselves; the others wait for a person, and cost nothing meanwhile."""
DEBT = "debt"
"""First part of the keys of probe jobs that a debt asked for."""


def step(uow: UnitOfWork, debt: Debt, rules: Rules, control: Control, now: float) -> Change | None:
    """One step towards paying; None when it has to wait. A debt is paid after success, or when a person says so."""
    incident, run = uow.incidents.get(debt.incident), uow.runs.get(debt.incident)
    playbook = rules.playbooks.get(debt.playbook)
    if incident is None or run is None or playbook is None:
        return None
    if debt.state is DebtState.PAYING:
        return _confirming(debt, incident, now)
    if not _is_time(debt, incident, now):
        return None
    if debt.state is DebtState.OPEN:
        return moved(Change(), debt, DebtState.DUE, "it is due", now)
    level = effective_autonomy(Autonomy(debt.autonomy), rules.autonomy)
    if not debt.plan.get("approved_by") and level is Autonomy.PROPOSE:
        return moved(Change(), debt, DebtState.PROPOSED, "its return needs a person's approval", now)
    return _pay_or_ask(uow, debt, incident, run, playbook, rules, control, now)


def _is_time(debt: Debt, incident: Incident, now: float) -> bool:
    """Whether anything may be asked at all: it can be given back, nobody is asked yet, and its incident is over."""
    if debt.state not in {DebtState.OPEN, DebtState.DUE} or not (
        debt.plan.get("do") or debt.state is DebtState.OPEN
    ):
        return False
    approved_at = debt.plan.get("approved_at")
    return incident.ended or (approved_at is not None and now < float(approved_at) + APPROVAL_LASTS)


def answered(uow: UnitOfWork, key: str, evidence: Evidence) -> Change | None:
    """A probe's answer for a debt, kept on its plan."""
    _, debt_id, name, asked_at = key.split("|")
    debt = uow.debts.get(debt_id)
    if debt is None or debt.state not in {DebtState.DUE, DebtState.PAYING}:
        return None
    if f"{debt.plan.get('asked_at', 0.0):.3f}" != asked_at:
        return None  # it has been asked again since
    seen = {**debt.plan.get("evidence", {}), name: evidence.names()}
    return Change(debts=(replace(debt, plan={**debt.plan, "evidence": seen}),))


def decide(
    uow: UnitOfWork, incident_id: str, who: str, now: float, *, approved: bool, rung: str = ""
) -> Change | None:
    """A person's answer to the proposed returns, or to that of `rung` alone; None when none is proposed.

    One that failed is tried once more, or waived: somebody mended it by hand. By its name also one is meant that is not
    due yet, or waits: given back now, such as a containment whose fault was mended by hand, or waived.
    """
    asking = {DebtState.PROPOSED, DebtState.FAILED}
    if rung:
        asking |= {DebtState.OPEN, DebtState.DUE}
    proposed = [
        debt for debt in uow.debts.of(incident_id) if debt.state in asking and rung in {"", debt.rung}
    ]
    if not proposed:
        return None
    change = Change()
    for debt in proposed:
        if approved and not debt.plan.get("do"):
            continue
        if approved:
            plan = {**debt.plan, "approved_by": who, "approved_at": now}
            ready = replace(debt, plan=plan, due_at=min(now, debt.due_at or now))
            change = moved(change, ready, DebtState.DUE, f"{who} approved its return", now)
        else:
            change = moved(change, debt, DebtState.WAIVED, f"{who} rejected its return", now)
    return change if change.debts else None


def ended(uow: UnitOfWork, attempt: Attempt, outcome: Outcome, now: float) -> Change:
    """The return was carried out, or not. One with a check of its own is done once that shows, also where the call was
    refused because somebody had given it back by hand; the others at their word.
    """
    change = Change()
    for debt in uow.debts.of(attempt.incident):
        if debt.rung != attempt.rung or debt.state is not DebtState.PAYING:
            continue
        done = outcome.state is OutcomeState.DONE
        if debt.plan.get("confirm") and outcome.state is not OutcomeState.NOT_DONE:
            failed = outcome.state is OutcomeState.FAILED
            within = PROBE_TIMEOUT if failed else float(debt.plan.get("within", CONFIRM_WITHIN))
            plan = {
                **debt.plan,
                "confirm_until": now + within,
                "asked_at": 0.0,
                "evidence": {},
                "failed": failed,
            }
            change = replace(change, debts=(*change.debts, replace(debt, plan=plan, note=outcome.effect)))
        elif done:
            change = _done(change, debt, outcome.effect, now)
        elif attempt.started_at is None:
            change = moved(change, debt, DebtState.DUE, outcome.effect, now)  # the world was not touched
        else:
            change = moved(change, debt, DebtState.FAILED, outcome.effect, now)
    return change


def _done(change: Change, debt: Debt, effect: str, now: float) -> Change:
    """The step took effect: the next one comes, or the debt is paid."""
    rest = next_step(debt, now)
    if rest is None:
        return moved(change, debt, DebtState.PAID, effect, now)
    return moved(change, rest, DebtState.OPEN, f"{effect}; another step follows", now)


def _confirming(debt: Debt, incident: Incident, now: float) -> Change | None:
    """The call was made: did it take effect? Asked until it shows, `within` at most; None while the call is under way."""
    until = debt.plan.get("confirm_until")
    if until is None:
        return None
    seen = debt.plan.get("evidence", {}).get(CONFIRM)
    if seen is not None and seen["ok"]:
        return _done(Change(), debt, f"{debt.note or 'done'}, and its effect was confirmed", now)
    if now >= until:
        why = debt.note if debt.plan.get("failed") else (seen or {}).get("error") or "its effect did not show"
        return moved(Change(), debt, DebtState.FAILED, str(why), now)
    wait = PROBE_TIMEOUT if seen is None else CONFIRM_EVERY
    if now < float(debt.plan.get("asked_at", 0.0)) + wait:
        return None
    return _ask(debt, incident, {CONFIRM: Check.model_validate(debt.plan["confirm"])}, now)


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
    complete = bool(asked_at) and playbook.diagnose.keys() <= seen.keys()
    fresh = not playbook.diagnose or (complete and now < asked_at + ASK_EVERY)
    rows = rows_of(uow, incident, run, playbook, now)
    names = {**names_for(incident, run, rows, rules, now), "facts": seen}
    action = prepared(rules.actions, debt.plan["do"], names, debt.scope)
    answer = returning.asked(
        debt, incident, playbook, rows, rules, control=control, nearby=returning.nearby(uow, incident, approved=bool(debt.plan.get("approved_by"))),
        action=action, names=names, now=now,
    )  # fmt: skip
    blockers = [gate for gate in answer.refusals if gate.name not in returning.BY_EVIDENCE]
    if blockers:
        reason = "; ".join(f"{gate.name}: {gate.reason}" for gate in blockers)
        return returning.held(debt, answer, reason, now)
    if fresh and isinstance(action, str):
        change = Change(events=(returning.told(debt, answer, now),))
        return moved(change, debt, DebtState.FAILED, action, now)
    if fresh and not isinstance(action, str) and answer.allowed:
        return _pay(debt, playbook, action, answer, control, now)
    if fresh:
        return returning.held(debt, answer, "its pre-check does not hold", now)
    if now < asked_at + (ASK_EVERY if complete else PROBE_TIMEOUT):
        return None
    questions = {name: Check(probe=question.probe) for name, question in playbook.diagnose.items()}
    return _ask(debt, incident, questions, now)


def _ask(debt: Debt, incident: Incident, checks: Mapping[str, Check], now: float) -> Change:
    jobs = tuple(
        Job(
            key=f"{DEBT}|{debt.id}|{name}|{now:.3f}",
            kind="probe",
            incident=incident.id,
            deadline_at=now + PROBE_TIMEOUT,
            args={"probe": check.probe, "ok": check.ok, "scope": dict(incident.scope)},
        )
        for name, check in checks.items()
    )
    asked = replace(debt, plan={**debt.plan, "asked_at": now, "evidence": {}})
    return Change(debts=(asked,), jobs=jobs)


def _pay(
    debt: Debt, playbook: Playbook, action: Prepared, answer: Answer, control: Control, now: float
) -> Change:
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
    plan = {
        name: value for name, value in debt.plan.items() if name not in {"confirm_until", "held", "failed"}
    }
    change = Change(events=(returning.told(debt, answer, now),))
    change = moved(change, replace(debt, plan=plan), DebtState.PAYING, "all guardrails allow it", now)
    return replace(change, attempts=(attempt,))
