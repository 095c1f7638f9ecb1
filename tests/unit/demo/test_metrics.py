"""The text format, read back by the reference parser."""

from prometheus_client.parser import text_string_to_metric_families

from demo.metrics import Registry


def samples(registry: Registry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(registry.render())
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
    }


def test_counters_gauges_and_histograms_are_read_back_as_they_were_counted() -> None:
    registry = Registry()
    counter = registry.counter("x_total", "Things.", "who")
    counter.add(2, 'a "quoted" \\ name\n')
    counter.add(0, "b")
    registry.gauge("y", "State.").set(0.25)
    histogram = registry.histogram("z_seconds", "Time.", "who", bounds=(0.1, 0.5))
    for value in (0.05, 0.1, 0.3, 7.0):
        histogram.observe(value, "b")
    found = samples(registry)
    assert found["x_total", (("who", 'a "quoted" \\ name\n'),)] == 2
    assert found["x_total", (("who", "b"),)] == 0
    assert found["y", ()] == 0.25
    buckets = [found["z_seconds_bucket", (("le", bound), ("who", "b"))] for bound in ("0.1", "0.5", "+Inf")]
    assert buckets == [2, 3, 4], "a value on an edge belongs below it"
    assert found["z_seconds_count", (("who", "b"),)] == 4
    assert abs(found["z_seconds_sum", (("who", "b"),)] - 7.45) < 1e-9


def test_a_reset_puts_counters_and_histograms_to_zero_and_leaves_gauges() -> None:
    registry = Registry()
    registry.counter("x_total", "Things.").add(3)
    registry.histogram("z_seconds", "Time.").observe(1.0)
    registry.gauge("y", "State.").set(5)
    registry.clear()
    found = samples(registry)
    assert found["x_total", ()] == found["z_seconds_count", ()] == found["z_seconds_sum", ()] == 0
    assert found["y", ()] == 5
