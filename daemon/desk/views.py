"""Rows to JSON models, purely: a dossier in, what the contract shows out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from daemon.desk import models
from daemon.document.dossier import Dossier
from daemon.document.explain import Explanation, asked_of, explain
from daemon.escalate.receipts import progress
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Debt, Delivery, Mute, Phase

Ladders = Mapping[str, tuple[str, ...]]
"""Playbook name -> names of its rungs, in order."""

SKIPPED = "when"
"""The gate a rung is skipped by when it does not fit the diagnosis; shown beside the refusals."""


def incident(dossier: Dossier, sentence: str, ladders: Ladders) -> models.Incident:
    """One incident as the contract shows it. `sentence`: what it says in plain words, composed by `document`."""
    row = dossier.incident
    return models.Incident(
        id=row.id,
        failure_mode=row.failure_mode,
        scope=dict(row.scope),
        severity=row.severity,
        state=row.state,
        flags=_flags(row),
        sentence=sentence,
        detected_at=row.detected_at,
        recovered_at=row.recovered_at,
        resolved_at=row.resolved_at,
        resolved_by=row.resolved_by,
        impact=models.Impact(scopes=row.impact.scopes, of=row.impact.of, text=row.impact.text),
        findings=[
            models.Finding(
                detector=finding.detector,
                value=finding.value,
                threshold=finding.threshold,
                since=finding.since,
                state=finding.state,
            )
            for finding in row.findings
        ],
        run=_run(dossier, ladders),
        attempts=[_attempt(attempt) for attempt in dossier.attempts],
        refusals=refusals(dossier.events),
        escalation=_escalation(dossier.escalation),
        pages=[_page_of_incident(delivery) for delivery in dossier.deliveries],
        debts=[
            models.IncidentDebt(id=debt.id, kind=debt.kind, due_at=debt.due_at, state=debt.state)
            for debt in dossier.debts
        ],
    )


def with_timeline(base: models.Incident, events: Sequence[Event]) -> models.IncidentWithTimeline:
    """The same, and everything that happened in the order it was written."""
    fields = {name: getattr(base, name) for name in models.Incident.model_fields}
    return models.IncidentWithTimeline(**fields, timeline=[moment(event) for event in events])


def moment(event: Event) -> models.Moment:
    return models.Moment(at=event.at, kind=event.kind, text=event.text, data=dict(event.data))


def refusals(events: Iterable[Event]) -> list[models.Refusal]:
    """Every no of a guardrail, and every rung that did not fit the diagnosis, oldest first.

    A guardrail that keeps saying the same about the same rung is listed once, with its first time.
    """
    seen: dict[tuple[str, str, str], models.Refusal] = {}
    for event in events:
        for refusal in _refused(event):
            seen.setdefault((refusal.rung, refusal.gate, refusal.reason), refusal)
    return list(seen.values())


def _refused(event: Event) -> list[models.Refusal]:
    data = event.data
    rung = asked_of(data)
    if event.kind is Kind.SKIPPED and data.get("gate") == SKIPPED:
        reason = str(data.get("reason", ""))
        return [models.Refusal(rung=rung, gate=SKIPPED, reason=reason, until=None, at=event.at)]
    if event.kind is Kind.GATES:
        return [
            models.Refusal(
                rung=rung, gate=gate["name"], reason=gate["reason"], until=gate.get("until"), at=event.at
            )
            for gate in data.get("gates", ())
            if not gate["allowed"]
        ]
    return []


def explanations(dossier: Dossier) -> list[models.Explanation]:
    """Every time a rung was judged, oldest first, with all answers of the guardrails.

    A rung that was skipped without asking them stands there with the one condition that skipped it; a skip that
    follows a whole trace adds nothing to it.
    """
    found: list[Explanation] = []
    for asked in explain(dossier):
        last = found[-1] if found else None
        if (
            last is not None
            and len(asked.gates) == 1 < len(last.gates)
            and (asked.rung, asked.at)
            == (
                last.rung,
                last.at,
            )
        ):
            continue
        found.append(asked)
    return [_explanation(asked) for asked in found]


def _explanation(asked: Explanation) -> models.Explanation:
    return models.Explanation(
        at=asked.at,
        rung=asked.rung,
        allowed=asked.allowed,
        gates=[
            models.GateAnswer(
                name=gate.name,
                allowed=gate.allowed,
                reason=gate.reason,
                until=gate.until,
                inputs=dict(gate.inputs or {}),
            )
            for gate in asked.gates
        ],
    )


def debt(row: Debt) -> models.Debt:
    return models.Debt(
        id=row.id,
        kind=row.kind,
        due_at=row.due_at,
        state=row.state,
        incident=row.incident,
        playbook=row.playbook,
        rung=row.rung,
        scope=dict(row.scope),
        opened_at=row.opened_at,
        autonomy=row.autonomy,
        note=row.note,
        steps=_steps(row),
    )


def _steps(row: Debt) -> list[models.DebtStep]:
    """From its plan: the step that is next, and all that follow."""
    if not row.plan.get("do"):
        return []
    present = {**row.plan, "after": None, "autonomy": row.autonomy}
    return [
        models.DebtStep(
            action=next(iter(step["do"])),
            when=step.get("when"),
            confirm=None
            if not step.get("confirm")
            else step["confirm"].get("ok") or step["confirm"]["probe"],
            after_s=step["after"],
            autonomy=step["autonomy"],
        )
        for step in (present, *row.plan.get("then", ()))
    ]


def page(row: Delivery) -> models.Page:
    return models.Page(
        key=row.key,
        incident=row.incident,
        level=row.level,
        person=row.person,
        channel=row.channel,
        event=row.event,
        state=row.state,
        at=_said_at(row),
        due_at=row.due_at,
        tries=row.tries,
        error=row.error,
        receipt=progress(row),
        receipts=_receipts(row),
        provider_id=row.provider_id,
    )


def mute(row: Mute) -> models.Mute:
    return models.Mute(
        id=row.id,
        kind=row.kind,
        owner=row.owner,
        reason=row.reason,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        matchers=dict(row.matchers),
    )


def rung_of(dossier: Dossier, ladders: Ladders) -> str | None:
    """Name of the rung the run considers or has under way; None before the first.

    The ladder that is loaded may be another one than the run was started on, so what was written down wins.
    """
    run = dossier.run
    if run is None:
        return None
    for attempt in dossier.attempts:
        if attempt.key == run.attempt:
            return attempt.rung
    ladder = ladders.get(run.playbook or "", ())
    if not run.ended_at and run.rung < len(ladder):
        return ladder[run.rung]
    said = [str(event.data["rung"]) for event in dossier.events if event.data.get("rung")]
    return said[-1] if said else None


def _run(dossier: Dossier, ladders: Ladders) -> models.Run | None:
    run = dossier.run
    if run is None:
        return None
    return models.Run(state=run.state, rung=rung_of(dossier, ladders), next_at=run.due_at)


def _flags(row: Incident) -> list[str]:
    return [name for name, is_set in (("blind", row.blind), ("stepped_back", row.stepped_back)) if is_set]


def _attempt(row: Attempt) -> models.Attempt:
    """An undo or return is shown by that word instead of the rung's kind."""
    return models.Attempt(
        rung=row.rung,
        kind=row.kind if row.phase is Phase.DO else row.phase,
        action=row.action,
        started_at=row.started_at,
        ended_at=row.ended_at,
        outcome=row.outcome,
        verdict=row.verdict,
        output=row.output,
    )


def _escalation(row: Escalation | None) -> models.Escalation:
    if row is None:
        return models.Escalation(level=0, acked_by=None, next_at=None)
    return models.Escalation(level=row.level, acked_by=row.acked_by, next_at=row.next_at)


def _page_of_incident(row: Delivery) -> models.IncidentPage:
    return models.IncidentPage(
        level=row.level,
        person=row.person,
        channel=row.channel,
        event=row.event,
        state=row.state,
        at=_said_at(row),
        receipt=progress(row),
        receipts=_receipts(row),
    )


def _receipts(row: Delivery) -> dict[str, float]:
    taken = {} if row.sent_at is None else {"accepted": row.sent_at}
    return {**taken, **row.heard}


def _said_at(row: Delivery) -> float:
    """When it was accepted; until then when it was owed."""
    return row.sent_at if row.sent_at is not None else row.created_at
