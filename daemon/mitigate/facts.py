"""From rows to facts: everything a guardrail looks at, read in the transaction that will write `intended`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from config.scope import Scope
from config.section import Autonomy
from daemon.incidents.escalation import Escalation
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, FailoverLock, Mute, MuteKind, PipelineChange
from remediations.actions.action import ActionError
from remediations.actions.registry import Actions, Prepared, mends
from remediations.earned import EarnedAutonomy, Standing, record_of, standing
from remediations.guardrails.facts import Caps, Cause, Facts, Flight, Muting, Storming, Switched, Wheel
from remediations.run import Run
from remediations.spec import Limits, Playbook, Rung, action_of
from remediations.verification import Reading

PROPOSAL_LASTS = 1800.0
"""Seconds a proposal waits for a person, and their word for what still keeps it from being done."""
RECENT_CHANGES = 3600.0
"""Seconds for which a pipeline change counts as recent, in expressions as `changes`."""


class Control(Protocol):
    """What may stop everything, asked anew each time. `epoch`: the fencing token this daemon holds."""

    @property
    def epoch(self) -> int: ...

    def kill_switch(self) -> str | None:
        """Why nothing may be done (file, signal), or None."""
        ...

    def leader(self) -> bool:
        """Whether the lease is still valid by monotonic time."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """The parts of the configuration mitigation needs."""

    autonomy: Autonomy
    playbooks: Mapping[str, Playbook]
    limits: Limits
    vars: Mapping[str, Any]
    actions: Actions
    leave_after: float = 300.0
    """Seconds below its bounds after which a storm is left."""
    earned: EarnedAutonomy | None = None
    """How the record of a rung counts; None: it does not."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows read once per step, in its transaction."""

    incident: Incident
    escalation: Escalation | None
    mutes: tuple[Mute, ...]
    in_flight: tuple[Attempt, ...]
    locks: tuple[FailoverLock, ...]
    changes: tuple[PipelineChange, ...]
    climb_ended_at: float | None
    used: Mapping[tuple[str, str], tuple[float, ...]]
    """(action, target) -> start times of disruptive actions within the budget's window."""
    storm: Incident | None = None
    """The storm that stands."""
    used_overall: Callable[[float], tuple[float, ...]] = lambda _since: ()
    """Start times of all disruptive actions since then."""
    carried_out: Callable[[str], bool] = lambda _: False
    """Whether a rung of this incident was carried out before, or may have been."""
    begun: Callable[[str, int], bool] = lambda _rung, _climb: False
    """Whether a rung was begun before in this climb."""
    verdicts: Callable[[str, float], Mapping[str, int]] = lambda _rung, _since: {}
    """How often each verdict was given on a rung of this playbook since then."""


def names_for(incident: Incident, run: Run | None, rows: Rows, rules: Rules, now: float) -> dict[str, Any]:
    """The names templates and expressions see."""
    evidence = {} if run is None else {name: seen.names() for name, seen in run.evidence.items()}
    return {
        "scope": dict(incident.scope),
        "facts": evidence,
        "vars": rules.vars,
        "fault_since": incident.began_at,
        "incident": {
            "id": incident.id,
            "failure_mode": incident.failure_mode,
            "severity": incident.severity,
            "detectors": [record.detector for record in incident.findings],
        },
        "changes": [
            {"what": change.what, "who": change.who, "ref": change.ref, "age_s": now - change.at}
            for change in rows.changes
        ],
    }


def prepared(
    actions: Actions, do: Mapping[str, Any], names: Mapping[str, Any], scope: Scope
) -> Prepared | str:
    """The action made ready, or the reason why it cannot be."""
    try:
        return actions.prepare(do, names, scope)
    except ActionError as error:
        return str(error)


def facts_of(
    rung: Rung,
    run: Run,
    playbook: Playbook,
    rows: Rows,
    rules: Rules,
    *,
    control: Control,
    fault: Reading,
    fresh_within: float,
    causes: Iterable[Cause],
    now: float,
) -> Facts:
    """Facts for one rung of one run."""
    incident, escalation = rows.incident, rows.escalation
    names = names_for(incident, run, rows, rules, now)
    action = prepared(rules.actions, rung.do, names, incident.scope)
    aside = isinstance(action, Prepared) and not action.mends and not action.idempotent
    facts = Facts(
        mends=mends(action_of(rung.do)[0]),
        told=aside and rows.carried_out(rung.name),
        tried=run.rung > 0 and not run.tries and rows.begun(rung.name, run.climb),
        incident=incident.id,
        playbook=run.playbook or "",
        scope=incident.scope,
        kill_switch=control.kill_switch(),
        leader=control.leader(),
        wheel=wheel_of(incident, escalation, run, now),
        ceiling=rules.autonomy,
        fault=fault,
        fresh_within=fresh_within,
        corroborated=incident.corroborated,
        causes=tuple(causes),
        earned=_earned(rung, rows, rules, now),
        mutings=tuple(mutings(rows.mutes, incident, run.playbook, now)),
        storm=storming(rows.storm, rules.leave_after, now),
        in_flight=tuple(flight(attempt) for attempt in rows.in_flight if attempt.mends),
        caps=caps_of(rules.limits, playbook),
        overall=rules.limits.actions,
        climb_started=run.acted,
        climb_ended_at=rows.climb_ended_at,
        switched=tuple(Switched(lock.target, lock.until, lock.reason, lock.incident) for lock in rows.locks),
        names=names,
    )
    return acting_on(facts, action, rows, now)


def _earned(rung: Rung, rows: Rows, rules: Rules, now: float) -> Standing | None:
    if rules.earned is None or not mends(action_of(rung.do)[0]):
        return None
    record = record_of(rows.verdicts(rung.name, now - rules.earned.window))
    return standing(record, rung.autonomy, rules.earned)


def acting_on(facts: Facts, action: Prepared | str, rows: Rows, now: float) -> Facts:
    """The same facts, with what the action would act upon; a reason why it cannot be made ready is a target error."""
    if isinstance(action, str):
        return replace(facts, target_error=action)
    targets = tuple(sorted(action.targets))
    used = max((rows.used.get((action.kind, target), ()) for target in targets), key=len, default=())
    facts = replace(facts, action=action.kind, targets=targets, disruptive=action.disruptive, used=used)
    if facts.overall is None or not action.disruptive:
        return facts
    return replace(facts, used_overall=rows.used_overall(now - facts.overall.per))


def wheel_of(incident: Incident, escalation: Escalation | None, run: Run, now: float) -> Wheel:
    """A page, or having stepped back, puts a person at the wheel until they release it.

    An approval does not outlive what they looked at: hours later, after a maintenance, it is asked for anew.
    """
    paged_at = None if escalation is None else escalation.paged_at
    if paged_at is None and incident.stepped_back:
        paged_at = run.entered_at
    lasts = run.released_at is None or now < run.released_at + PROPOSAL_LASTS
    return Wheel(paged_at, run.released_at, run.approved_by if lasts else None)


def storming(storm: Incident | None, leave_after: float, now: float) -> Storming | None:
    """The storm as guardrails see it; one that is about to be left is still waited for until it was."""
    if storm is None:
        return None
    settling = storm.recovered_at if storm.recovered_at is not None else now
    return Storming(storm.id, storm.detected_at, max(settling + leave_after, now + 1.0))


def mutings(mutes: Iterable[Mute], incident: Incident, playbook: str | None, now: float) -> Iterable[Muting]:
    """The reasons on the list that concern this incident."""
    labels = {**dict(incident.scope), "failure_mode": incident.failure_mode, "playbook": playbook or ""}
    for mute in mutes:
        if mute.active(now) and all(labels.get(name) == value for name, value in mute.matchers.items()):
            yield Muting(str(mute.kind), mute.owner, mute.reason, mute.ends_at)


def paused(mutes: Iterable[Mute], now: float) -> bool:
    """Whether a pause over everything is active (for the permit)."""
    return any(m.kind is MuteKind.PAUSE and not m.matchers and m.active(now) for m in mutes)


def flight(attempt: Attempt) -> Flight:
    return Flight(
        attempt.incident, attempt.playbook, attempt.scope, attempt.action, attempt.targets, attempt.locks
    )


def caps_of(limits: Limits, playbook: Playbook) -> Caps:
    overall = limits.in_flight
    return Caps(
        overall=overall,
        per_target=limits.in_flight_per_target,
        per_action=limits.in_flight_per_action or overall,
        per_group=limits.in_flight_per_group or overall,
        max_scopes=playbook.guardrails.blast_radius.max_scopes,
    )
