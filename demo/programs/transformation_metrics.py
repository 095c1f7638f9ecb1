"""What transformation measures; every series exists at zero from the start."""

from collections.abc import Iterable

from demo.metrics import Registry


class TransformationMetrics:
    def __init__(
        self, registry: Registry, providers: Iterable[str], fields: Iterable[str], tiers: Iterable[str]
    ) -> None:
        both, fields = ("provider", "field"), tuple(fields)
        stem = "telemetry_transformation_"
        self.applied = registry.counter(
            f"{stem}mappings_applied_total", "Mappings that gave a value or found none.", *both
        )
        self.failed = registry.counter(
            f"{stem}mappings_failed_total", "Mappings that could not be applied.", *both
        )
        self.computed = registry.counter(f"{stem}status_computed_total", "Statuses computed.", "provider")
        self.errors = registry.counter(
            f"{stem}status_errors_total", "Statuses that could not be computed.", "provider"
        )
        self.checked = registry.counter(
            "telemetry_quality_values_checked_total", "Values held against a rule.", *both
        )
        self.missing = registry.counter(
            "telemetry_quality_fields_missing_total", "Values that were not there.", *both
        )
        self.invalid = registry.counter(
            "telemetry_quality_values_invalid_total", "Values outside their rule.", *both
        )
        self.violations = registry.counter(
            "telemetry_quality_schema_violations_total", "Packets without their envelope.", "provider"
        )
        self.latency = registry.histogram(
            "telemetry_processing_latency_seconds", "Packet received to stored.", "provider"
        )
        self.depth = registry.gauge("telemetry_queue_depth", "Items that wait for the next stage.", "stage")
        self.dlq_depth = registry.gauge("telemetry_dlq_depth", "Packets set aside.", "stage")
        for provider in providers:
            for field in fields:
                for counter in (self.applied, self.failed, self.checked, self.missing, self.invalid):
                    counter.add(0, provider, field)
            for counter in (self.computed, self.errors, self.violations):
                counter.add(0, provider)
            self.latency.touch(provider)
        for stage in ("transformation", *(f"storage-{tier}" for tier in tiers)):
            self.depth.set(0, stage)
        self.dlq_depth.set(0, "transformation")
