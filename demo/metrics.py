"""Counters, gauges and histograms in the Prometheus text format.

A registry of its own keeps sixteen small processes at ten megabytes each; the format is that of
https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).
"""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = [
        '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for name, value in zip(names, values, strict=True)
    ]
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


class Metric:
    """One name with its label names; every use gives the label values in the same order."""

    kind = "untyped"

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self.name, self.text, self.labels = name, text, tuple(labels)
        self._lock = threading.Lock()
        self._values: dict[tuple[str, ...], float] = {}

    def value(self, *labels: str) -> float:
        return self._values.get(labels, 0.0)

    def clear(self) -> None:
        """Every series back to zero, as a restart of the process would do."""
        with self._lock:
            self._values = dict.fromkeys(self._values, 0.0)

    def lines(self) -> Iterator[str]:
        with self._lock:
            values = dict(self._values)
        for labels, value in values.items():
            yield f"{self.name}{_labels(self.labels, labels)} {_number(value)}"


class Counter(Metric):
    kind = "counter"

    def add(self, amount: float, *labels: str) -> None:
        """Count; an amount of 0 makes the series exist before anything happened."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0.0) + amount


class Gauge(Metric):
    kind = "gauge"

    def set(self, value: float, *labels: str) -> None:
        with self._lock:
            self._values[labels] = float(value)

    def drop(self, *labels: str) -> None:
        with self._lock:
            self._values.pop(labels, None)


class Histogram(Metric):
    kind = "histogram"

    def __init__(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float] = SECONDS
    ) -> None:
        super().__init__(name, text, labels)
        self.bounds = tuple(bounds)
        self._counts: dict[tuple[str, ...], list[int]] = {}

    def touch(self, *labels: str) -> None:
        with self._lock:
            self._series(labels)

    def observe(self, value: float, *labels: str) -> None:
        with self._lock:
            self._series(labels)[bisect_left(self.bounds, value)] += 1
            self._values[labels] += value

    def clear(self) -> None:
        super().clear()
        with self._lock:
            self._counts = {labels: [0] * (len(self.bounds) + 1) for labels in self._counts}

    def _series(self, labels: tuple[str, ...]) -> list[int]:
        if labels not in self._counts:
            self._counts[labels] = [0] * (len(self.bounds) + 1)
            self._values[labels] = 0.0
        return self._counts[labels]

    def lines(self) -> Iterator[str]:
        with self._lock:
            series = [(labels, list(counts), self._values[labels]) for labels, counts in self._counts.items()]
        for labels, counts, total in series:
            seen = 0
            for bound, count in zip([*map(_number, self.bounds), "+Inf"], counts, strict=True):
                seen += count
                yield f"{self.name}_bucket{_labels((*self.labels, 'le'), (*labels, bound))} {seen}"
            yield f"{self.name}_sum{_labels(self.labels, labels)} {_number(total)}"
            yield f"{self.name}_count{_labels(self.labels, labels)} {seen}"


class Registry:
    """All metrics of one process."""

    def __init__(self) -> None:
        self._metrics: list[Metric] = []

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        metric = Counter(name, text, labels)
        self._metrics.append(metric)
        return metric

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        metric = Gauge(name, text, labels)
        self._metrics.append(metric)
        return metric

    def histogram(self, name: str, text: str, *labels: str, bounds: Sequence[float] = SECONDS) -> Histogram:
        metric = Histogram(name, text, labels, bounds)
        self._metrics.append(metric)
        return metric

    def clear(self) -> None:
        """Counters and histograms start again at zero."""
        for metric in self._metrics:
            if not isinstance(metric, Gauge):
                metric.clear()

    def render(self) -> str:
        lines: list[str] = []
        for metric in self._metrics:
            lines += [
                f"# HELP {metric.name} {metric.text}",
                f"# TYPE {metric.name} {metric.kind}",
                *metric.lines(),
            ]
        return "\n".join(lines) + "\n"
