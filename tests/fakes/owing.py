"""A debt in a store of its own, and one step of paying it: what `daemon.mitigate.paying` is asked with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from config.section import Autonomy
from daemon.incidents.change import Change
from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import Debt, DebtState
from daemon.mitigate import paying
from daemon.mitigate.facts import Rules
from daemon.store.store import Store
from remediations.actions.registry import Actions
from remediations.run import Run, RunState
from remediations.spec import Limits, Playbook
from tests.fakes import rows
from tests.fakes.climbing import CALL, INCIDENT, NOW


@dataclass
class Free:
    """Nothing is stopped, and this daemon leads, unless a test says otherwise."""

    epoch: int = 1
    switch: str | None = None
    leads: bool = True

    def kill_switch(self) -> str | None:
        return self.switch

    def leader(self) -> bool:
        return self.leads


def rules(book: Playbook, autonomy: Autonomy = Autonomy.AUTO) -> Rules:
    actions = Actions({}, lambda _: "", {}, lambda text: text, None)
    return Rules(autonomy, {"storage-hot": book}, Limits(), {}, actions)


def owed(
    state: DebtState = DebtState.OPEN,
    *,
    autonomy: str = "auto",
    incident: Incident | None = None,
    more: Sequence[Change] = (),
    **plan: Any,
) -> tuple[Store, Debt]:
    """`more`: what else stands in the store; `plan`: what is known of the return beside its action."""
    store = Store.open("sqlite://")
    resolved = replace(INCIDENT, state=IncidentState.RESOLVED, resolved_at=NOW - 60)
    debt = rows.debt(
        "sf-1/switch", incident="sf-1", playbook="storage-hot", rung="switch", scope=INCIDENT.scope, state=state,
        due_at=NOW - 1, autonomy=autonomy, plan={"do": dict(CALL), **plan},
    )  # fmt: skip
    with store.write() as uow:
        run = Run("sf-1", "storage-hot", RunState.DONE, NOW - 60)
        kept = uow.apply(Change(incident=incident or resolved, run=run, debts=(debt,)))
        for change in more:
            uow.apply(change)
    return store, kept.debts[0]


def pay(
    store: Store,
    debt: Debt,
    book: Playbook,
    ceiling: Autonomy = Autonomy.AUTO,
    *,
    control: Free | None = None,
    now: float = NOW,
) -> Change | None:
    """One step, nothing written."""
    with store.read() as uow:
        return paying.step(uow, debt, rules(book, ceiling), control or Free(), now)
