"""Small recorded stories for whoever reads the store: written through the store's own `apply`."""

from __future__ import annotations

from typing import Any

from config.scope import scope_of
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord, Impact, Incident, IncidentState
from daemon.incidents.records import DebtState, DeliveryState, MuteKind, PageEvent, Phase
from daemon.store.store import Store
from remediations.run import RunState
from tests.fakes import rows

NOW = 1_767_603_600.0
HOT = "sf-4k7q2m"
SILENT = "po-aaaaaa"

GATES: list[dict[str, Any]] = [
    {"name": "kill_switch", "allowed": True, "reason": "not set", "until": None, "inputs": {}},
    {
        "name": "target_set",
        "allowed": True,
        "reason": "storage-writer-hot",
        "until": None,
        "inputs": {"targets": ["storage-writer-hot"]},
    },
    {
        "name": "budget",
        "allowed": False,
        "reason": "3 of 3 used",
        "until": NOW + 3600,
        "inputs": {"used": 3},
    },
]


def hot_storage(*, state: IncidentState = IncidentState.OPEN, firing: bool = True) -> Incident:
    """Hot storage refuses writes: a restart did not help, a fail-over is refused by its budget."""
    return Incident(
        id=HOT,
        failure_mode="storage_failure",
        scope=scope_of({"tier": "hot"}),
        severity="critical",
        state=state,
        began_at=NOW - 400,
        detected_at=NOW - 100,
        findings=(
            FindingRecord("storage-writes", 0.21, "above 1% for 5m", NOW - 400, "firing" if firing else "ok"),
        ),
        impact=Impact(1, 3, "1 of 3 tiers"),
        playbook="storage-hot",
        stepped_back=True,
    )


def record(store: Store) -> None:
    """One open critical incident with everything about it, one resolved one, a pause and a silence."""
    restart = rows.attempt(
        f"{HOT}/1/restart-writer/do",
        incident=HOT,
        playbook="storage-hot",
        scope=scope_of({"tier": "hot"}),
        rung="restart-writer",
        action="service",
        intended_at=NOW - 90,
        started_at=NOW - 89,
        ended_at=NOW - 80,
        outcome="done",
        output="storage-writer-hot: RUNNING",
        verdict="not_recovered",
    )
    undo = rows.attempt(
        f"{HOT}/1/restart-writer/undo",
        incident=HOT,
        playbook="storage-hot",
        rung="restart-writer",
        phase=Phase.UNDO,
        action="service",
        intended_at=NOW - 40,
        started_at=NOW - 39,
        ended_at=NOW - 38,
        outcome="done",
    )
    with store.write() as uow:
        uow.apply(
            Change(
                incident=hot_storage(),
                run=rows.run(
                    HOT,
                    playbook="storage-hot",
                    state=RunState.GAVE_UP,
                    rung=1,
                    ended_at=NOW - 20,
                    evidence={},
                ),
                escalation=rows.escalation(HOT, level=1, paged_at=NOW - 20, next_level_at=NOW + 880),
                attempts=(restart, undo),
                debts=(
                    rows.debt("debt-hot", incident=HOT, due_at=NOW + 600, state=DebtState.OPEN),
                    rows.debt("debt-soon", incident=HOT, due_at=NOW + 60, state=DebtState.DUE),
                ),
                deliveries=(
                    rows.delivery(
                        f"{HOT}/trigger/1/ana/0",
                        incident=HOT,
                        event=PageEvent.TRIGGER,
                        state=DeliveryState.ACCEPTED,
                        created_at=NOW - 20,
                        sent_at=NOW - 19,
                    ),
                ),
                events=_events(),
            )
        )
        uow.apply(
            Change(
                incident=rows.incident(
                    SILENT,
                    state=IncidentState.RESOLVED,
                    detected_at=NOW - 5000,
                    recovered_at=NOW - 4900,
                    resolved_at=NOW - 4800,
                    resolved_by="self",
                )
            )
        )
        uow.mutes.save(rows.mute("pause-1", ends_at=NOW + 60))
        uow.mutes.save(rows.mute("silence-1", kind=MuteKind.SILENCE, ends_at=NOW + 60))
        uow.mutes.save(rows.mute("pause-old", ends_at=NOW - 60))
        uow.lease.claim("host:1", NOW - 30)


def _events() -> tuple[Event, ...]:
    def said(ago: float, kind: Kind, text: str, **data: Any) -> Event:
        return Event(HOT, NOW - ago, kind, text, data)

    skipped = {"rung": "enlarge-pool", "gate": "when", "reason": "the pool is not exhausted"}
    refused = {"rung": "fail-over-to-replica", "allowed": False, "gates": GATES}
    allowed = {"rung": "restart-writer", "allowed": True, "gates": GATES[:2]}
    return (
        said(100, Kind.DETECTED, "Hot storage refuses writes.", detector="storage-writes"),
        said(95, Kind.SKIPPED, "enlarge-pool skipped.", **skipped),
        said(90, Kind.GATES, "restart-writer: allowed.", **allowed),
        said(80, Kind.ENDED, "restart-writer ended.", rung="restart-writer", outcome="done"),
        said(30, Kind.GATES, "fail-over-to-replica: refused by budget.", **refused),
        said(25, Kind.GATES, "fail-over-to-replica: refused by budget.", **refused),
        said(20, Kind.STEPPED_BACK, "Stepped back."),
    )
