"""A drill from where the command line runs, while no daemon does: the same questions, nothing written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from config.loader import Loaded
from config.scope import Scope
from daemon.app.build import label_sets, rules_of, setup_of, tools_of
from daemon.app.workers import cleaned
from daemon.detect.inventory import Members
from daemon.escalate.reachable import levels_reached
from daemon.incidents.drills import Drill, DrillState, ScopeDrill
from daemon.loop.control import Lead, SwitchBoard
from daemon.mitigate.drill import Case, judged, scopes_of
from daemon.mitigate.rehearsal import rehearse
from daemon.settings.model import Settings
from daemon.store.store import Store
from remediations.ports import Ports

WITHIN = 60.0
"""Seconds for all questions about one scope."""


@dataclass(frozen=True, slots=True)
class Here:
    """What a drill needs of this machine. `store`: read only, for pauses, budgets, locks and what is in flight."""

    loaded: Loaded[Settings]
    ports: Ports
    store: Store

    def drill(self, name: str, wanted: Sequence[Scope], who: str, rung: str = "") -> Drill:
        """All of it, or one rung, at each scope asked for, or at every known one. `name`: of a playbook that is there."""
        now = self.ports.clock.now()
        settings = self.loaded.model
        tools = tools_of(self.loaded, self.ports)
        rules = rules_of(settings, tools.actions)
        members = Members(settings.inventory)
        scopes = tuple(wanted) or scopes_of(
            name, rules, label_sets(settings, name), lambda label: members.values(label, now)
        )
        setup = setup_of(settings)
        control = SwitchBoard(settings.kill_switch, Lead(0, self.ports.clock))
        found: list[ScopeDrill] = []
        try:
            for scope in scopes:
                with self.store.read() as uow:
                    task = Case.of(uow, name, scope, rules, self.ports.clock.now()).task()
                deadline = self.ports.clock.monotonic() + WITHIN
                seen = rehearse(
                    task, tools.prober, tools.actions, tools.looker, self.ports, deadline=deadline
                )
                seen = cleaned(tools, seen)
                with self.store.read() as uow:
                    case = Case.of(uow, name, scope, rules, self.ports.clock.now())
                    pages = levels_reached(setup.policy_for(case.incident), setup.directory, now)
                    found.append(judged(case, seen, control, pages).only(rung))
        finally:
            tools.fetcher.close()
        ended = self.ports.clock.now()
        return Drill("", name, now, who, DrillState.ASKED, scopes=tuple(found)).over(ended)
