"""The dossier of a hot storage that refuses writes, at any point of its story."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from config.scope import scope_of
from daemon.document.dossier import Dossier
from daemon.incidents.escalation import Escalation, EscalationState
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord, Impact, Incident, IncidentState
from daemon.incidents.records import Attempt, Debt, Delivery, DeliveryState, PageEvent
from remediations.run import Run, RunState
from tests.fakes import rows

T = 1_767_600_000.0
"""2026-01-05 08:00 UTC, nine in Paris: the first breach."""
ID = "sf-4k7q2m"
POLICY = {
    "levels": [
        {"notify": ["person:ana"], "after": {}, "repeat": {}},
        {"notify": ["person:ben"], "after": {"critical": 900.0}, "repeat": {}},
    ]
}


def incident(**fields: Any) -> Incident:
    row = Incident(
        id=ID,
        failure_mode="storage_failure",
        scope=scope_of({"tier": "hot"}),
        severity="critical",
        state=IncidentState.OPEN,
        began_at=T,
        detected_at=T + 300,
        findings=(FindingRecord("storage-writes", 0.042, "above 1%", T, "firing"),),
        impact=Impact(1, 3, "1 of 3 tiers"),
        playbook="storage-hot",
    )
    return replace(row, **fields)


def run(state: RunState = RunState.VERIFYING, **fields: Any) -> Run:
    return replace(Run(ID, "storage-hot", state, T + 420, due_at=T + 600), **fields)


def attempt(rung: str = "fail-over", **fields: Any) -> Attempt:
    row = rows.attempt(
        f"{ID}/1/{rung}/do", incident=ID, rung=rung, action="http", targets=("storage-admin",),
        intended_at=T + 360, started_at=T + 360, ended_at=T + 370, outcome="done", effect="answered 200",
        output="line one\nline two\nwrites still refused", deadline_at=T + 400,
    )  # fmt: skip
    return replace(row, **fields)


def debt(**fields: Any) -> Debt:
    row = rows.debt("d-1", incident=ID, rung="fail-over", due_at=T + 3970)
    return replace(row, **fields)


def escalation(state: EscalationState = EscalationState.PAGING, **fields: Any) -> Escalation:
    row = Escalation(
        ID, state, level=1, severity="critical", reason="Ladder exhausted", policy=POLICY, paged_at=T + 600,
        next_level_at=T + 1500,
    )  # fmt: skip
    return replace(row, **fields)


def delivery(event: PageEvent = PageEvent.TRIGGER, **fields: Any) -> Delivery:
    row = rows.delivery(
        f"{ID}/1/0/ana/pagerduty.0/{event}", incident=ID, event=event, channel="pagerduty", created_at=T + 600,
        due_at=T + 600, facts={"reason": "Ladder exhausted", "loop": 0}, dedup_key=f"fleetmend/{ID}",
    )  # fmt: skip
    return replace(row, **fields)


def gates(rung: str, *refusals: tuple[str, str], at: float = T + 350, **inputs: Any) -> Event:
    names = ["kill_switch", "autonomy", "target_set", "budget", "cooldown"]
    said = dict(refusals)
    answers = [
        {
            "name": name,
            "allowed": name not in said,
            "reason": said.get(name, "fine"),
            "until": T + 4800 if name in said else None,
            "inputs": inputs,
        }
        for name in names
    ]
    text = f"{rung} refused" if said else f"{rung} allowed"
    return Event(ID, at, Kind.GATES, text, {"rung": rung, "allowed": not said, "gates": answers})


def events() -> tuple[Event, ...]:
    """A whole timeline: fail-over in vain, restart refused, paged, acknowledged, mended by hand."""
    return (
        Event(
            ID,
            T + 300,
            Kind.DETECTED,
            "Write errors above 1% on hot storage.",
            {"detector": "storage-writes"},
        ),
        gates("fail-over", at=T + 355, targets=["storage-admin"]),
        Event(
            ID,
            T + 360,
            Kind.STARTED,
            "fail-over started.",
            {"rung": "fail-over", "key": f"{ID}/1/fail-over/do"},
        ),
        Event(
            ID,
            T + 370,
            Kind.ENDED,
            "fail-over answered 200.",
            {"rung": "fail-over", "key": f"{ID}/1/fail-over/do"},
        ),
        Event(
            ID,
            T + 590,
            Kind.SKIPPED,
            "restart-writer skipped: not hung.",
            {"rung": "restart-writer", "gate": "when", "reason": "not hung"},
        ),
        gates("enlarge-pool", ("budget", "3 of 3 used"), at=T + 595),
        Event(ID, T + 600, Kind.OWED, "Page owed to Ana.", {"key": f"{ID}/1/0/ana/pagerduty.0/trigger"}),
        Event(ID, T + 603, Kind.SENT, "Sent to ana.", {"key": f"{ID}/1/0/ana/pagerduty.0/trigger"}),
        Event(ID, T + 660, Kind.ACKED, "Acknowledged by ana", {"by": "ana"}, "ana"),
        Event(ID, T + 900, Kind.RESOLVED, "Clear on every detector.", {"by": "self"}),
    )


def story(**fields: Any) -> Dossier:
    """Paged: fail-over was in vain, the pool refused by its budget."""
    made = Dossier(
        incident=incident(stepped_back=True),
        run=run(RunState.GAVE_UP, reason="budget 3 of 3 used", due_at=None),
        escalation=escalation(),
        attempts=(attempt(verdict="not_recovered"),),
        debts=(debt(),),
        deliveries=(delivery(state=DeliveryState.ACCEPTED, sent_at=T + 603),),
        events=events()[:-1],
    )
    return replace(made, **fields)


def ended(**fields: Any) -> Dossier:
    """The same, over."""
    after = incident(state=IncidentState.RESOLVED, resolved_at=T + 900, resolved_by="self", stepped_back=True)
    return story(
        incident=after, escalation=escalation(EscalationState.ENDED, next_level_at=None), events=events(), **fields
    )  # fmt: skip
