"""The line parser reads what the reference library writes, and skips what nobody wants."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from daemon.detect.sources.exposition import Decoder, Malformed, Sample, Tally
from detectors.samples import Series


def read(text: str, *wanted: str) -> list[Sample]:
    return list(Decoder(frozenset(wanted)).read(text, Tally()))


values = st.floats(allow_nan=False) | st.integers(-(10**9), 10**9).map(float)
labels = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=12)


@given(st.dictionaries(st.tuples(labels, labels), values, min_size=1, max_size=5))
@settings(deadline=None, max_examples=300)
def test_reads_back_every_label_and_value_the_reference_library_writes(
    rows: dict[tuple[str, str], float],
) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("wanted", 'help with "quotes" {and} braces\nand lines', ["a", "b"], registry=registry)
    for (a, b), value in rows.items():
        gauge.labels(a, b).set(value)
    decoder = Decoder(frozenset({"wanted"}))
    expected = {
        Series("wanted", tuple(pair for pair in (("a", a), ("b", b)) if pair[1])): value
        for (a, b), value in rows.items()
    }
    for _ in range(2):  # the second time from memory
        got = {s.series: s.value for s in decoder.read(generate_latest(registry).decode(), Tally())}
        assert got == expected


@given(st.lists(st.tuples(labels, st.floats(0, 20)), min_size=1, max_size=6))
@settings(deadline=None, max_examples=100)
def test_reads_histograms_and_exemplars_of_openmetrics(events: list[tuple[str, float]]) -> None:
    registry = CollectorRegistry()
    histogram = Histogram("took_seconds", "", ["p"], buckets=(0.5, 2.0), registry=registry)
    for label, value in events:
        histogram.labels(label).observe(value, exemplar={"trace_id": "a}b{c # d"})
    tally = Tally()
    text = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]  # the library leaves it untyped
    got = list(Decoder(frozenset({"took_seconds_bucket"})).read(text, tally))
    edges = {dict(sample.series.labels)["le"] for sample in got}
    assert edges == {"0.5", "2.0", "+Inf"}
    total = sum(sample.value for sample in got if dict(sample.series.labels)["le"] == "+Inf")
    assert total == len(events)
    assert tally.ended


@pytest.mark.parametrize(
    ("line", "value", "at", "why"),
    [
        ("m 1\n", 1.0, None, "plain"),
        ("m\t1\n", 1.0, None, "a tab separates too"),
        ("  m  1  \n", 1.0, None, "blanks around it mean nothing"),
        ("m 1\r\n", 1.0, None, "line end of another system"),
        ("m 1 1700000000000\n", 1.0, 1_700_000_000.0, "text format: milliseconds"),
        ("m 1 1700000000.5\n", 1.0, 1_700_000_000.5, "OpenMetrics: seconds"),
        ("m{} 1\n", 1.0, None, "empty label block"),
        ('m {a=""} 1\n', 1.0, None, "blank before the block; an empty label is none"),
        ("m +Inf\n", math.inf, None, "infinity"),
        ("m -Inf\n", -math.inf, None, "infinity"),
        ("m 1e-3\n", 0.001, None, "exponent"),
        ('m 1 # {trace_id="x"} 0.5\n', 1.0, None, "exemplar on a series without labels"),
    ],
)
def test_reads_a_series_without_labels(line: str, value: float, at: float | None, why: str) -> None:
    assert read(line, "m") == [Sample(Series("m", ()), value, at)], why


def test_reads_nan_as_a_number_that_is_none() -> None:
    assert math.isnan(read("m NaN\n", "m")[0].value)


@pytest.mark.parametrize(
    ("block", "expected", "why"),
    [
        (r'{a="x\\y"}', "x\\y", "backslash"),
        (r'{a="x\"y"}', 'x"y', "quote"),
        (r'{a="x\ny"}', "x\ny", "line feed"),
        ('{a="x}y{z"}', "x}y{z", "braces inside a value"),
        ('{a="x # y"}', "x # y", "hash inside a value"),
        ('{ a = "x" , }', "x", "blanks and a last comma"),
    ],
)
def test_undoes_escapes_inside_label_values(block: str, expected: str, why: str) -> None:
    for text in (f"m{block} 7\n", f"m{block} 7 1700000000000\n"):
        (sample,) = read(text, "m")
        assert (sample.series.labels, sample.value) == ((("a", expected),), 7.0), why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('m{a="x} 1\n', "value not closed"),
        ("m{a=x} 1\n", "value not quoted"),
        ("m one\n", "no number"),
        ("m\n", "no value"),
        ("m 1 2 3\n", "something after the timestamp"),
        ('m{a="1",a="2"} 1\n', "a label twice"),
    ],
)
def test_a_wanted_line_that_makes_no_sense_is_an_error(line: str, why: str) -> None:
    try:
        read(line, "m")
    except Malformed:
        return
    pytest.fail(why)


def test_lines_nobody_wants_are_counted_and_not_read() -> None:
    text = '# HELP m text m{a="1"} 5\n# TYPE m counter\nother{a="x} broken\nmm 1\nm_total 2\n\nm 3\n'
    tally = Tally()
    assert [s.value for s in Decoder(frozenset({"m"})).read(text, tally)] == [3.0]
    assert tally.lines == 4


def test_two_series_that_differ_only_in_an_exemplar_are_one() -> None:
    decoder = Decoder(frozenset({"b_bucket"}))
    first = 'b_bucket{le="1"} 3 # {trace_id="a"} 0.5\n'
    second = 'b_bucket{le="1"} 4 # {trace_id="b"} 0.7\nb_bucket{le="1"} 5\n'
    samples = [*decoder.read(first, Tally()), *decoder.read(second, Tally())]
    assert {sample.series for sample in samples} == {Series("b_bucket", (("le", "1"),))}
    assert [sample.value for sample in samples] == [3.0, 4.0, 5.0]


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "line",
    [
        'm{a="b"' + " " * 200_000 + "x} 1\n",
        "m{" + 'a="b",' * 50_000 + "} x\n",
        'm{a="' + "\\\\" * 100_000 + "\n",
        "m" + " " * 200_000 + "{\n",
        'm{a="b"} ' + "1 " * 100_000 + "\n",
    ],
)
def test_a_hostile_line_costs_no_more_than_its_length(line: str) -> None:
    with pytest.raises(Malformed):
        read(line, "m")
