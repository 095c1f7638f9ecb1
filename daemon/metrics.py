"""Every metric of the daemon, declared once on a registry that is handed in.

Names start with `fleetmend_`. Label values come from configuration (detectors, sources, playbooks, gates) or from
fixed words, never from an incident's id or a customer, so the number of series is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "fleetmend_"
CYCLE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
ACTION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


@dataclass(frozen=True, slots=True)
class _Declare:
    """Metrics of our name on one registry: name without the prefix, help, then the labels."""

    registry: CollectorRegistry

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, text, labels, registry=self.registry)

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self.registry)

    def histogram(
        self, name: str, text: str, *labels: str, buckets: Sequence[float] = CYCLE_BUCKETS
    ) -> Histogram:
        return Histogram(PREFIX + name, text, labels, buckets=buckets, registry=self.registry)


class Metrics:
    """One attribute per metric; the words a label may take stand in its help text."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        declare = _Declare(registry)
        self._declare_cycle(declare)
        self._declare_detection(declare)
        self._declare_response(declare)
        self._declare_self(declare)

    def build(self, version: str, python: str) -> None:
        """State what runs; the value is always 1."""
        self.build_info.labels(version=version, python=python).set(1)

    def _declare_cycle(self, declare: _Declare) -> None:
        self.cycle_seconds = declare.histogram(
            "cycle_seconds", "Time one step of the loop took, by kind of message.", "message"
        )
        self.cycle_last_at = declare.gauge(
            "cycle_last_timestamp_seconds", "When the loop last finished a step (unix)."
        )
        self.ticks_skipped = declare.counter(
            "ticks_skipped_total", "Polls left out because the one before was not done.", "source"
        )
        self.lateness_seconds = declare.histogram(
            "lateness_seconds",
            "How long after its due time a due row was handled, by kind (escalation, page).",
            "kind",
        )

    def _declare_detection(self, declare: _Declare) -> None:
        self.source_errors = declare.counter(
            "source_errors_total",
            "Polls of a telemetry source that failed: failed, late.",
            "source",
            "reason",
        )
        self.source_age_seconds = declare.gauge(
            "source_age_seconds", "Age of the newest sample of a source.", "source"
        )
        self.series = declare.gauge("series", "Series held in the rings.", "source")
        self.series_dropped = declare.gauge(
            "series_dropped",
            "Series of the last answer that are beyond the limit and not looked at.",
            "source",
        )
        self.notices = declare.gauge(
            "notices",
            "1 while detection has something to say of itself: series_limit, scope_limit, skewed, partial, unanswered, unjudged, clock.",
            "kind",
            "name",
        )
        self.observations_unknown = declare.counter(
            "observations_unknown_total", "Observations that were neither breach nor ok.", "detector"
        )
        self.detectors_firing = declare.gauge(
            "detectors_firing", "Scopes at which a detector fires.", "detector"
        )
        self.detectors_blind = declare.gauge(
            "detectors_blind", "Scopes at which a detector sees nothing.", "detector"
        )

    def _declare_response(self, declare: _Declare) -> None:
        self.incidents = declare.gauge(
            "incidents", "Incidents not ended, by failure mode and state.", "failure_mode", "state"
        )
        self.actions = declare.counter(
            "actions_total",
            "Actions by outcome: done, failed, not_done, unknown.",
            "playbook",
            "rung",
            "outcome",
        )
        self.action_seconds = declare.histogram(
            "action_seconds", "Time an action took.", "action", buckets=ACTION_BUCKETS
        )
        self.verdicts = declare.counter(
            "verdicts_total", "Verdicts after a rung.", "playbook", "rung", "verdict"
        )
        self.refusals = declare.counter(
            "refusals_total", "Rungs refused, by the guardrail that refused.", "gate", "playbook"
        )
        self.pages = declare.gauge(
            "pages", "Deliveries not yet ended, by channel and state.", "channel", "state"
        )
        self.deliveries = declare.counter(
            "deliveries_total",
            "Tries to deliver, by receipt: ok, ambiguous, temporary, permanent.",
            "channel",
            "receipt",
        )
        self.debts = declare.gauge("debts", "Debts not yet paid, by state.", "state")
        self.drills = declare.counter(
            "drills_total", "Drills by result: passed, failed, refused.", "playbook", "result"
        )
        self.drill_score = declare.gauge(
            "drill_score", "Share of its checks that a playbook's newest drill passed.", "playbook"
        )
        self.drill_last_at = declare.gauge(
            "drill_last_timestamp_seconds", "When a playbook's newest drill ended (unix).", "playbook"
        )
        self.storm = declare.gauge(
            "storm", "1 while a storm stands: only storm-safe rungs are begun, and one page stands for all."
        )

    def _declare_self(self, declare: _Declare) -> None:
        self.queue_depth = declare.gauge(
            "queue_depth",
            "What waits: inbox (messages), recorder (submissions), questions (for a slot).",
            "queue",
        )
        self.worker_slots = declare.gauge(
            "worker_slots", "Worker slots by state: busy, free, abandoned.", "pool", "state"
        )
        self.store_errors = declare.counter(
            "store_errors_total", "Transactions that failed: stale, sick, lease.", "reason"
        )
        self.store_seconds = declare.histogram(
            "store_transaction_seconds", "Time one transaction of the loop took, its commit included."
        )
        self.items_parked = declare.gauge("items_parked", "Items set aside after an error of ours.")
        self.autonomy = declare.gauge(
            "autonomy", "1 for the ceiling in force: observe, propose, auto.", "level"
        )
        self.paused = declare.gauge("paused", "Pauses in force.")
        self.leader = declare.gauge("leader", "1 while this process may act.")
        self.config_reloads = declare.counter(
            "config_reloads_total", "Reloads of the configuration: taken, refused.", "result"
        )
        self.build_info = declare.gauge("build_info", "What runs; always 1.", "version", "python")
