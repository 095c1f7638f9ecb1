"""`reference/metrics.md`: the daemon's own metrics, from the registry itself."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from daemon.metrics import Metrics
from pages.text import code, table

INTRO = """# Own metrics

`GET /metrics`, in the Prometheus text format. Label values come from the configuration or are fixed words, never an
incident's id or a customer, so the number of series is bounded. Times are seconds, instants unix seconds.

Worth an alert from outside (the daemon cannot tell you that it is gone; `heartbeat:` and these can):

| alert on | because |
| --- | --- |
| `time() - fleetmend_cycle_last_timestamp_seconds > 60` | the loop stands still |
| `fleetmend_leader == 0` on every replica for 1 m | nobody may act |
| `fleetmend_items_parked > 0` | something of ours raised and was set aside |
| `increase(fleetmend_store_errors_total[10m]) > 0` | the store is sick: nothing is done until it writes again |
| `fleetmend_detectors_blind > 0` for 15 m | a detector sees nothing |
"""


def page() -> str:
    """The whole page."""
    metrics = Metrics(CollectorRegistry())
    rows = [_row(one) for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    return f"{INTRO}\n{table(('name', 'type', 'labels', 'what'), rows)}"


def _row(metric: Any) -> tuple[str, str, str, str]:
    (described,) = metric.describe()
    suffix = "_total" if described.type == "counter" else ""
    labels = ", ".join(code(label) for label in metric._labelnames)  # noqa: SLF001 - the library shows them nowhere else
    return code(described.name + suffix), described.type, labels, described.documentation
