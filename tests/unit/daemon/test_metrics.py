from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from daemon.metrics import Metrics


def test_every_metric_is_ours_by_name_and_explained() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    families = list(registry.collect())
    assert len(families) > 25
    for family in families:
        assert family.name.startswith("fleetmend_"), family.name
        assert family.documentation.endswith("."), family.name


def test_no_label_may_grow_without_bound() -> None:
    metrics = Metrics(CollectorRegistry())
    labels = {
        name
        for metric in vars(metrics).values()
        if isinstance(metric, Counter | Gauge | Histogram)
        for name in metric._labelnames
    }
    assert labels.isdisjoint({"incident", "incident_id", "customer", "asset", "key", "error", "url"})


def test_what_runs_is_stated() -> None:
    registry = CollectorRegistry()
    Metrics(registry).build("0.1.0", "3.11.7")
    assert b'fleetmend_build_info{python="3.11.7",version="0.1.0"} 1.0' in generate_latest(registry)


def test_two_registries_do_not_share_anything() -> None:
    one, other = CollectorRegistry(), CollectorRegistry()
    Metrics(one).ticks_skipped.labels(source="main").inc()
    Metrics(other)
    assert other.get_sample_value("fleetmend_ticks_skipped_total", {"source": "main"}) is None
