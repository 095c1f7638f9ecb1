"""What a consumer measures; every series exists at zero from the start."""

from collections.abc import Iterable

from demo.metrics import Registry

ERROR_REASONS = ("timeout", "network", "auth", "rate_limited", "server_error")


class IngestionMetrics:
    def __init__(self, registry: Registry, provider: str, customers: Iterable[str]) -> None:
        both = ("provider", "customer")
        stem = "telemetry_ingestion_"
        self.customers = tuple(customers)
        self.received = registry.counter(f"{stem}packets_received_total", "Packets that arrived.", *both)
        self.parsed = registry.counter(f"{stem}packets_parsed_total", "Packets that could be read.", *both)
        self.failed = registry.counter(
            f"{stem}packets_failed_total", "Packets that could not be read.", *both
        )
        self.requests = registry.counter(f"{stem}provider_requests_total", "Attempts to fetch.", "provider")
        self.errors = registry.counter(
            f"{stem}provider_errors_total", "Failed attempts.", "provider", "reason"
        )
        self.parse_duration = registry.histogram(
            f"{stem}parse_duration_seconds", "Time to read a packet.", "provider"
        )
        self.connected = registry.gauge(f"{stem}connection_up", "1 while a customer's packets come.", *both)
        self.depth = registry.gauge("telemetry_queue_depth", "Items that wait for the next stage.", "stage")
        self.suspended = registry.gauge(
            "telemetry_customer_suspended", "1 for a customer suspended on purpose.", "customer"
        )
        for customer in self.customers:
            for counter in (self.received, self.parsed, self.failed):
                counter.add(0, provider, customer)
        self.requests.add(0, provider)
        for reason in ERROR_REASONS:
            self.errors.add(0, provider, reason)
        self.parse_duration.touch(provider)
        self.depth.set(0, f"ingestion-{provider}")

    def suspend(self, names: list[str]) -> None:
        """The series is there only for suspended customers, as a gauge of 1."""
        for customer in self.customers:
            if customer in names:
                self.suspended.set(1, customer)
            else:
                self.suspended.drop(customer)
