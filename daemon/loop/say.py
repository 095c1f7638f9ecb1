"""Say: log lines and counters of what was committed. Called after the commit, so nothing is said that was rolled back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from config.scope import Scope
from daemon import log
from daemon.incidents.change import Change, Job
from daemon.incidents.events import Event, Kind
from daemon.incidents.records import Order
from daemon.metrics import Metrics
from detectors.state import Transition

LINES: Mapping[Kind, str] = {
    Kind.GATES: log.GATE_REFUSED,
    Kind.STARTED: log.ACTION_STARTED,
    Kind.ENDED: log.ACTION_ENDED,
    Kind.VERDICT: log.VERDICT_GIVEN,
    Kind.OWED: log.PAGE_OWED,
    Kind.SENT: log.PAGE_SENT,
    Kind.NOT_SENT: log.PAGE_NOT_SENT,
    Kind.ALERT: log.ALERT_TAKEN,
}
"""Log lines by kind of timeline row; every other kind is an incident that changed."""
_OURS = frozenset(
    {"correlation_id", "detector", "event", "exc_info", "kind", "level", "message", "service", "since"}
    | {"stack_info", "stacklevel", "state", "text", "timestamp", "value"}
)
"""Fields of a line that a scope's label of that name must not replace."""


def changed(change: Change, metrics: Metrics) -> None:
    """One log line per timeline row, with the incident's id as correlation id."""
    logger = log.get()
    for event in change.events:
        line = LINES.get(event.kind, log.INCIDENT_CHANGED)
        if event.kind is Kind.GATES and event.data.get("allowed"):
            line = log.RUN_MOVED
        logger.info(
            line, correlation_id=event.incident, kind=str(event.kind), text=event.text, **_labels(change)
        )
        _count(event, change, metrics)


def detected(transitions: Sequence[Transition]) -> None:
    """One line per change of a detector at a scope; what follows from it has lines of its own."""
    for change in transitions:
        log.get().info(
            log.DETECTOR_CHANGED,
            detector=change.detector,
            state=str(change.state),
            since=change.at,
            value=change.value,
            **_fields(change.scope),
        )


def abandoned(job: Job) -> None:
    log.get().warning(log.JOB_ABANDONED, correlation_id=job.incident, job=job.key, kind=job.kind)


def ordered(order: Order, answer: str) -> None:
    log.get().info(
        log.ORDER_TAKEN,
        correlation_id=order.incident or log.NO_CORRELATION,
        order=order.kind,
        who=order.who,
        via=order.via,
        answer=answer,
    )


def parked(name: str, error: Exception, until: float) -> None:
    log.get().error(log.ITEM_PARKED, item=name, until=until, exc_info=error)


def _labels(change: Change) -> dict[str, str]:
    return {} if change.incident is None else _fields(change.incident.scope)


def _fields(scope: Scope) -> dict[str, str]:
    return {name: value for name, value in scope if name not in _OURS}


def _count(event: Event, change: Change, metrics: Metrics) -> None:
    playbook = "" if change.run is None else change.run.playbook or ""
    if event.kind is Kind.GATES:
        for gate in event.data.get("gates", ()):
            if not gate["allowed"]:
                metrics.refusals.labels(gate["name"], playbook).inc()
    elif event.kind is Kind.VERDICT and event.data.get("verdict"):
        metrics.verdicts.labels(playbook, str(event.data.get("rung", "")), str(event.data["verdict"])).inc()
    elif event.kind is Kind.ENDED:
        for attempt in change.attempts:
            metrics.actions.labels(attempt.playbook, attempt.rung, str(attempt.outcome)).inc()
            if attempt.started_at is not None and attempt.ended_at is not None:
                metrics.action_seconds.labels(attempt.action).observe(attempt.ended_at - attempt.started_at)
