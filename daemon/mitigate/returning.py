"""May a return be carried out now? The same fifteen guardrails, asked about a debt instead of a rung of a climb.

What differs is in the facts: no fault has to be seen (no incident may stand open at the place), and no climb cools down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from config.section import Autonomy
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import Debt, Phase
from daemon.mitigate.facts import Control, Rows, Rules, acting_on, caps_of, flight, mutings, storming
from daemon.store.unit import UnitOfWork
from remediations.actions.registry import Prepared
from remediations.guardrails.facts import Facts, Switched, Wheel
from remediations.guardrails.gate import Answer
from remediations.guardrails.registry import ask
from remediations.spec import Playbook, Rung, RungKind

BY_EVIDENCE = frozenset({"require", "target_set"})
"""Gates that are answered from the probes, so only once these have answered."""


def asked(
    debt: Debt,
    incident: Incident,
    playbook: Playbook,
    rows: Rows,
    rules: Rules,
    *,
    control: Control,
    nearby: tuple[str, ...],
    action: Prepared | str,
    names: Mapping[str, Any],
    now: float,
) -> Answer:
    """The whole trace for the debt's next step."""
    facts = Facts(
        incident=debt.incident,
        playbook=debt.playbook,
        scope=debt.scope,
        kill_switch=control.kill_switch(),
        leader=control.leader(),
        wheel=Wheel(approved_by=debt.plan.get("approved_by")),
        ceiling=rules.autonomy,
        mutings=tuple(mutings(rows.mutes, incident, debt.playbook, now)),
        storm=storming(rows.storm, rules.leave_after, now),
        in_flight=tuple(flight(attempt) for attempt in rows.in_flight if attempt.mends),
        caps=caps_of(rules.limits, playbook),
        climb_started=True,
        switched=tuple(Switched(lock.target, lock.until, lock.reason, lock.incident) for lock in rows.locks),
        returning=True,
        nearby=nearby,
        names=names,
    )
    return ask(_as_rung(debt, playbook), playbook.guardrails, acting_on(facts, action, rows, now), now)


def _as_rung(debt: Debt, playbook: Playbook) -> Rung:
    """The step in the form guardrails know. Only its first step can be the way back from a switch.

    It was validated when the configuration was read, and is looked at every second while it waits.
    """
    made = next((rung for rung in playbook.ladder if rung.name == debt.rung), None)
    first = debt.plan.get("step", 1) == 1
    return Rung.model_construct(
        name=debt.rung,
        kind=RungKind.CONTAIN if made is None else made.kind,
        do=debt.plan["do"],
        require=debt.plan.get("when"),
        return_=made.return_ if made is not None and first else None,
        autonomy=Autonomy(debt.autonomy),
        storm_safe=False,
    )


def nearby(uow: UnitOfWork, incident: Incident, *, approved: bool) -> tuple[str, ...]:
    """Incidents that stand open at the same place: the same failure mode, and no label that tells the scopes apart.

    One that a person closed counts while it still fires: its own one too, unless somebody `approved` this return.
    """
    here = dict(incident.scope)
    return tuple(
        f"what a person closed as {other.id}" if other.ended else other.id
        for other in (*uow.incidents.open(), *uow.incidents.quieted())
        if other.failure_mode == incident.failure_mode
        and (other.id != incident.id or (other.ended and not approved))
        and not other.advises
        and all(here.get(label, value) == value for label, value in other.scope)
    )


def told(debt: Debt, answer: Answer, now: float) -> Event:
    """The trace as a row of the timeline, found by `explain`."""
    refused = "; ".join(f"{gate.name} ({gate.reason})" for gate in answer.refusals)
    verdict = f"refused by {refused}" if refused else "allowed by all guardrails"
    data = {
        "rung": debt.rung,
        "phase": str(Phase.RETURN),
        "debt": debt.id,
        "allowed": answer.allowed,
        "gates": answer.data(),
    }
    return Event(debt.incident, now, Kind.GATES, f"Return of {debt.rung}: {verdict}.", data)


def held(debt: Debt, answer: Answer, reason: str, now: float) -> Change | None:
    """It waits: written down when the reason is a new one, so waiting writes nothing."""
    if debt.plan.get("held") == reason:
        return None
    waiting = replace(debt, plan={**debt.plan, "held": reason}, note=f"waits: {reason}")
    return Change(debts=(waiting,), events=(told(debt, answer, now),))
