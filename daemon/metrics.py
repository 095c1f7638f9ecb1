"""Every metric of the daemon, declared once on a registry that is handed in.

Names start with `fleetmend_`. Label values come from configuration (detectors, sources, playbooks, gates) or from
fixed words, never from an incident's id or a customer, so the number of series is bounded.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "fleetmend_"
CYCLE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
ACTION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """One attribute per metric; the words a label may take stand in its help text."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._declare_cycle(registry)
        self._declare_detection(registry)
        self._declare_response(registry)
        self._declare_self(registry)

    def build(self, version: str, python: str) -> None:
        """State what runs; the value is always 1."""
        self.build_info.labels(version=version, python=python).set(1)

    def _declare_cycle(self, registry: CollectorRegistry) -> None:
        self.cycle_seconds = Histogram(
            f"{PREFIX}cycle_seconds",
            "Time one step of the loop took, by kind of message.",
            ["message"],
            buckets=CYCLE_BUCKETS,
            registry=registry,
        )
        self.cycle_last_at = Gauge(
            f"{PREFIX}cycle_last_timestamp_seconds",
            "When the loop last finished a step (unix).",
            registry=registry,
        )
        self.ticks_skipped = Counter(
            f"{PREFIX}ticks_skipped_total",
            "Polls left out because the one before was not done.",
            ["source"],
            registry=registry,
        )
        self.lateness_seconds = Histogram(
            f"{PREFIX}lateness_seconds",
            "How long after its due time a due row was handled, by kind (escalation, page).",
            ["kind"],
            buckets=CYCLE_BUCKETS,
            registry=registry,
        )

    def _declare_detection(self, registry: CollectorRegistry) -> None:
        self.source_errors = Counter(
            f"{PREFIX}source_errors_total",
            "Polls of a telemetry source that failed: failed, late.",
            ["source", "reason"],
            registry=registry,
        )
        self.source_age_seconds = Gauge(
            f"{PREFIX}source_age_seconds",
            "Age of the newest sample of a source.",
            ["source"],
            registry=registry,
        )
        self.series = Gauge(f"{PREFIX}series", "Series held in the rings.", ["source"], registry=registry)
        self.series_dropped = Gauge(
            f"{PREFIX}series_dropped",
            "Series of the last answer that are beyond the limit and not looked at.",
            ["source"],
            registry=registry,
        )
        self.notices = Gauge(
            f"{PREFIX}notices",
            "1 while detection has something to say of itself: series_limit, skewed, partial, unjudged, clock.",
            ["kind", "name"],
            registry=registry,
        )
        self.observations_unknown = Counter(
            f"{PREFIX}observations_unknown_total",
            "Observations that were neither breach nor ok.",
            ["detector"],
            registry=registry,
        )
        self.detectors_firing = Gauge(
            f"{PREFIX}detectors_firing", "Scopes at which a detector fires.", ["detector"], registry=registry
        )
        self.detectors_blind = Gauge(
            f"{PREFIX}detectors_blind",
            "Scopes at which a detector sees nothing.",
            ["detector"],
            registry=registry,
        )

    def _declare_response(self, registry: CollectorRegistry) -> None:
        self.incidents = Gauge(
            f"{PREFIX}incidents",
            "Incidents not ended, by failure mode and state.",
            ["failure_mode", "state"],
            registry=registry,
        )
        self.actions = Counter(
            f"{PREFIX}actions_total",
            "Actions by outcome: done, failed, not_done, unknown.",
            ["playbook", "rung", "outcome"],
            registry=registry,
        )
        self.action_seconds = Histogram(
            f"{PREFIX}action_seconds",
            "Time an action took.",
            ["action"],
            buckets=ACTION_BUCKETS,
            registry=registry,
        )
        self.verdicts = Counter(
            f"{PREFIX}verdicts_total",
            "Verdicts after a rung.",
            ["playbook", "rung", "verdict"],
            registry=registry,
        )
        self.refusals = Counter(
            f"{PREFIX}refusals_total",
            "Rungs refused, by the guardrail that refused.",
            ["gate", "playbook"],
            registry=registry,
        )
        self.pages = Gauge(
            f"{PREFIX}pages",
            "Deliveries not yet ended, by channel and state.",
            ["channel", "state"],
            registry=registry,
        )
        self.deliveries = Counter(
            f"{PREFIX}deliveries_total",
            "Tries to deliver, by receipt: ok, ambiguous, temporary, permanent.",
            ["channel", "receipt"],
            registry=registry,
        )
        self.debts = Gauge(f"{PREFIX}debts", "Debts not yet paid, by state.", ["state"], registry=registry)

    def _declare_self(self, registry: CollectorRegistry) -> None:
        self.queue_depth = Gauge(
            f"{PREFIX}queue_depth",
            "What waits: inbox (messages), recorder (submissions), questions (for a slot).",
            ["queue"],
            registry=registry,
        )
        self.worker_slots = Gauge(
            f"{PREFIX}worker_slots",
            "Worker slots by state: busy, free, abandoned.",
            ["pool", "state"],
            registry=registry,
        )
        self.store_errors = Counter(
            f"{PREFIX}store_errors_total",
            "Transactions that failed: stale, sick, lease.",
            ["reason"],
            registry=registry,
        )
        self.store_seconds = Histogram(
            f"{PREFIX}store_transaction_seconds",
            "Time one transaction of the loop took, its commit included.",
            buckets=CYCLE_BUCKETS,
            registry=registry,
        )
        self.items_parked = Gauge(
            f"{PREFIX}items_parked", "Items set aside after an error of ours.", registry=registry
        )
        self.autonomy = Gauge(
            f"{PREFIX}autonomy",
            "1 for the ceiling in force: observe, propose, auto.",
            ["level"],
            registry=registry,
        )
        self.paused = Gauge(f"{PREFIX}paused", "Pauses in force.", registry=registry)
        self.leader = Gauge(f"{PREFIX}leader", "1 while this process may act.", registry=registry)
        self.config_reloads = Counter(
            f"{PREFIX}config_reloads_total",
            "Reloads of the configuration: taken, refused.",
            ["result"],
            registry=registry,
        )
        self.build_info = Gauge(
            f"{PREFIX}build_info", "What runs; always 1.", ["version", "python"], registry=registry
        )
