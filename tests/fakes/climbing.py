"""A run, a small playbook and a situation: what one step of a ladder is asked with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from config.scope import scope_of
from config.section import Autonomy
from daemon.incidents.model import FindingRecord, Incident, IncidentState
from daemon.incidents.records import Attempt, Phase
from daemon.mitigate.moves import Approval, Situation, Step
from daemon.mitigate.step import step
from remediations.guardrails.facts import Facts
from remediations.run import Evidence, Run, RunState
from remediations.spec import Playbook, Rung
from remediations.verification import Reading, Seen

NOW = 100_000.0
HOT = scope_of({"tier": "hot"})
CALL: Mapping[str, Any] = {"http": {"method": "POST", "url": "http://storage/failover"}}
BREACH = Reading(NOW, Seen.BREACH, NOW - 5)
OK = Reading(NOW, Seen.OK, NOW - 5)
UNKNOWN = Reading(NOW, Seen.UNKNOWN)
PROBED = {"health": Evidence(NOW - 1, ok=True, status=200, body={"reason": "refuses"})}
INCIDENT = Incident(
    "sf-1", "storage_failure", HOT, "critical", IncidentState.OPEN, NOW - 400, NOW - 60,
    findings=(FindingRecord("storage-writes", 1.0, "> 1%", NOW - 400, "firing"),),
)  # fmt: skip


def rung(name: str = "switch", **fields: Any) -> dict[str, Any]:
    return {"name": name, "do": CALL, "autonomy": "auto", **fields}


def playbook(*rungs: Mapping[str, Any], **fields: Any) -> Playbook:
    return Playbook.model_validate(
        {
            "failure_mode": "storage_failure",
            "diagnose": {"health": {"probe": "storage-health"}},
            "ladder": list(rungs or (rung(),)),
            **fields,
        }
    )


def run(state: RunState = RunState.RECHECKING, **fields: Any) -> Run:
    known = {"evidence": PROBED, **fields}
    return Run("sf-1", "storage-hot", state, NOW - 10, **known)


def attempt(outcome: str | None, *, phase: Phase = Phase.DO, **fields: Any) -> Attempt:
    row = Attempt(
        "sf-1/1/switch/do/1", "sf-1", "storage-hot", HOT, "switch", "cure", phase, "http", {}, ("tier=hot",),
        disruptive=True, idempotent=False, on_interrupt="page", epoch=1, intended_at=NOW - 30, deadline_at=NOW + 30,
        started_at=NOW - 29, ended_at=None if outcome is None else NOW - 20, outcome=outcome,
    )  # fmt: skip
    return replace(row, **fields)


GOOD = Facts(
    "sf-1", "storage-hot", HOT, ceiling=Autonomy.AUTO, action="http", targets=("tier=hot",), fault=BREACH
)


@dataclass
class Climb:
    """One step, with everything that it may look at."""

    book: Playbook
    fault: Reading = BREACH
    facts: Facts = GOOD
    readings: Sequence[Reading] = ()
    attempt: Attempt | None = None
    approval: Approval | None = None
    incident: Incident = INCIDENT

    def facts_for(self, rung: Rung, run: Run) -> Facts:
        del rung
        names = {
            "facts": {name: seen.names() for name, seen in run.evidence.items()},
            "scope": {"tier": "hot"},
        }
        wheel = replace(
            self.facts.wheel,
            approved_by=run.approved_by,
            released_at=run.released_at or self.facts.wheel.released_at,
        )
        return replace(self.facts, names=names, climb_started=run.acted, fault=self.fault, wheel=wheel)

    def __call__(self, run: Run, now: float = NOW) -> Step:
        situation = Situation(
            self.incident, self.fault, 60.0, self.facts_for, tuple(self.readings), self.attempt, self.approval
        )
        return step(run, self.book, situation, now)
