"""Small valid rows: each takes what its test is about, and fills in the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from config.scope import Scope, scope_of
from daemon.incidents.change import Change
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord, Impact, Incident, IncidentState
from daemon.incidents.records import Alert, Attempt, Debt, Delivery, Mute, MuteKind, Order, PageEvent, Phase
from remediations.run import Evidence, Run, RunState

NAVIXY: Scope = scope_of({"provider": "navixy"})


def incident(key: str = "po-1", **fields: Any) -> Incident:
    row = Incident(
        id=key,
        failure_mode="provider_outage",
        scope=NAVIXY,
        severity="high",
        state=IncidentState.OPEN,
        began_at=90.0,
        detected_at=100.0,
        findings=(FindingRecord("provider-silent", 0.0, "equals 0", 90.0, "firing"),),
        impact=Impact(1, 3, "1 of 3 providers"),
    )
    return replace(row, **fields)


def run(key: str = "po-1", **fields: Any) -> Run:
    row = Run(
        key,
        "provider-outage",
        RunState.DIAGNOSING,
        100.0,
        evidence={"status-page": Evidence(100.0, ok=True, status=200, body={"up": [True, None, 1.5]})},
    )
    return replace(row, **fields)


def escalation(key: str = "po-1", **fields: Any) -> Escalation:
    return replace(Escalation(key), **fields)


def attempt(key: str = "po-1/1/restart/do", **fields: Any) -> Attempt:
    row = Attempt(
        key=key,
        incident="po-1",
        playbook="provider-outage",
        scope=NAVIXY,
        rung="restart",
        kind="cure",
        phase=Phase.DO,
        action="service.restart",
        args={"unit": "consumer-navixy"},
        targets=("consumer-navixy",),
        disruptive=True,
        idempotent=False,
        on_interrupt="probe",
        epoch=1,
        intended_at=110.0,
        deadline_at=140.0,
    )
    return replace(row, **fields)


def debt(key: str = "debt-1", **fields: Any) -> Debt:
    row = Debt(key, "po-1", "failover", "provider-outage", "fail-over", NAVIXY, opened_at=120.0, due_at=500.0)
    return replace(row, **fields)


def delivery(key: str = "po-1/trigger/1/ana/email", **fields: Any) -> Delivery:
    row = Delivery(
        key=key,
        incident="po-1",
        event=PageEvent.TRIGGER,
        level=1,
        person="ana",
        channel="email",
        address="ana/0",
        dedup_key="po-1",
        created_at=130.0,
        due_at=130.0,
        facts={"reason": "ladder exhausted"},
    )
    return replace(row, **fields)


def event(text: str = "something happened", **fields: Any) -> Event:
    return replace(Event("po-1", 100.0, Kind.NOTE, text, {"by": "ana"}), **fields)


def mute(key: str = "mute-1", **fields: Any) -> Mute:
    row = Mute(key, MuteKind.PAUSE, "ana", "deploying", 100.0, 200.0, {"provider": "navixy"})
    return replace(row, **fields)


def order(kind: str = "ack", **fields: Any) -> Order:
    return replace(Order(0, 100.0, kind, "ana", "cli", "po-1", {"reason": "on it"}), **fields)


def alert(fingerprint: str = "f1", **fields: Any) -> Alert:
    row = Alert(0, 100.0, fingerprint, "firing", {"alertname": "X"}, {}, 90.0, None, "alertmanager")
    return replace(row, **fields)


def decision(number: int) -> Change:
    """Every kind of row that one decision may write, with a gate trace of fifteen answers."""
    key = f"i-{number}"
    gates = [{"name": f"gate {n}", "allowed": True, "reason": "fine", "inputs": {"n": n}} for n in range(15)]
    return Change(
        incident=incident(key),
        run=run(key),
        escalation=escalation(key),
        attempts=(attempt(f"{key}/a", incident=key),),
        deliveries=(delivery(f"{key}/p", incident=key),),
        events=tuple(event(incident=key, data={"gates": gates}) for _ in range(4)),
    )
