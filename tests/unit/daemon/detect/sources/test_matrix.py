"""Range answers decoded fast say what the plain decoder says, whatever is in them."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.detect.sources import matrix
from daemon.detect.sources.blocks import Track

LONG = 64
"""Samples that make a series long enough for the fast way."""


def written(value: float) -> str:
    """As Go's encoding/json, and so Prometheus, writes a value."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value and not 1e-6 <= abs(value) < 1e21:
        return repr(value) if "e" in repr(value) else f"{value:e}"
    return np.format_float_positional(value, trim="-")


def item(pairs: list[tuple[float, str]], **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": "m", **labels}, "values": [list(pair) for pair in pairs]}


def body(*result: dict[str, Any], **more: Any) -> bytes:
    answer = {"status": "success", "data": {"resultType": "matrix", "result": list(result)}, **more}
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()


def fast(text: bytes) -> list[Track]:
    return matrix.tracks(matrix.decode(text)["data"]["result"])


def plain(text: bytes) -> list[tuple[dict[str, str], list[float], list[float]]]:
    return [
        (one["metric"], [float(at) for at, _ in one["values"]], [float(value) for _, value in one["values"]])
        for one in json.loads(text)["data"]["result"]
    ]


def same(text: bytes) -> None:
    got, expected = fast(text), [one for one in plain(text) if one[1]]
    assert len(got) == len(expected)
    for track, (labels, times, values) in zip(got, expected, strict=True):
        assert {"__name__": track.series.name, **dict(track.series.labels)} == labels
        np.testing.assert_array_equal(track.times, times)
        np.testing.assert_array_equal(track.values, values)


values = st.floats() | st.integers(-(2**63), 2**64).map(float) | st.integers(0, 100).map(float)
texts = st.text(max_size=20) | st.sampled_from(
    ['"values":[[', "]]", '","', "\\", '\\"values\\":[[1,"2"]]', "é"]
)


@given(
    series=st.lists(
        st.tuples(texts, st.lists(values, min_size=1, max_size=150), st.integers(0, 2**31 * 1000)),
        max_size=4,
    ),
    spacing=st.sampled_from([1, 15_000, 60_000, 12_345]),
)
def test_every_value_that_prometheus_writes_is_read_as_the_plain_decoder_reads_it(
    series: list[tuple[str, list[float], int]], spacing: int
) -> None:
    same(
        body(
            *(
                item(
                    [((begin + spacing * n) / 1000, written(value)) for n, value in enumerate(listed)],
                    text=text,
                )
                for text, listed, begin in series
            )
        )
    )


def fine(count: int = LONG) -> list[tuple[float, str]]:
    return [(1_790_000_000 + 15 * n, f"{n}.5") for n in range(count)]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("NaN", "a quantile of nothing"),
        ("+Inf", "a ratio to nothing"),
        ("-Inf", "the same below zero"),
        ("1e-07", "a small gauge, as written by Go"),
        ("1.7976931348623157e+308", "the largest float"),
        ("5e-324", "the smallest"),
        ("18446744073709551616", "a whole number beyond 64 bits"),
        ("123456789012345678901234567890", "and far beyond"),
        ("0.1000000000000000055511151231257827", "more digits than a float holds"),
        ("-0", "minus nothing"),
    ],
)
def test_odd_values_are_read_in_a_long_series(value: str, why: str) -> None:
    pairs = fine()
    pairs[7] = (pairs[7][0], value)
    same(body(item(pairs), item(fine())))


@pytest.mark.parametrize("hostile", ['"values":[[', '\\","values":[[1,"2"]]', "]]", "\u2028", '{"cut":0}'])
def test_labels_that_look_like_samples_are_labels(hostile: str) -> None:
    same(body(item(fine(), text=hostile), item(fine(), other=hostile, values=hostile)))


def test_series_of_one_target_share_one_array_of_times() -> None:
    first, second, other = fast(body(item(fine(), a="1"), item(fine(), a="2"), item(fine(70), a="3")))
    assert first.times is second.times
    assert len(other.times) == 70


def test_long_series_are_read_the_fast_way() -> None:
    (one,) = matrix.decode(body(item(fine(), text='"values":[[')))["data"]["result"]
    assert isinstance(one["values"], matrix.Samples)


def test_native_histograms_beside_samples_are_passed_over() -> None:
    histogram = {"metric": {"__name__": "h"}, "histograms": [[1, {"count": "1", "buckets": [[0, "1"]]}]]}
    assert [track.series.name for track in fast(body(histogram, item(fine())))] == ["m"]


LINE = body(item(fine()))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LINE[:-2], "cut off after the samples"),
        (LINE[: len(LINE) // 2], "cut off in the middle of them"),
        (LINE.replace(b'"3.5"', b"3.5.1"), "no number and no text"),
        (LINE.replace(b'"3.5"', b'"3.5.1"'), "a text that is no number"),
        (LINE.replace(b'"3.5"', b'"1_0"') + b"x", "rubbish at the end"),
        (LINE.replace(b',"3.5"', b""), "a time without a value"),
        (LINE.replace(b"1790000045,", b"1789999990,"), "time goes back"),
        (LINE.replace(b"1790000045,", b"1790000030,"), "time stands still"),
        (LINE.replace(b"1790000045,", b"NaN,"), "no time"),
        (LINE.replace(b"[1790000045,", b"17[90000045,"), "brackets in a number"),
        (LINE.replace(b"]]", b"]"), "brackets do not match"),
        (b"[]", "no object"),
        (b"null", "nothing"),
        (b"\xff\xfe", "no text"),
        (b"[" * 100_000, "a tower of brackets"),
        (b'{"values":[[' + b"1" * 100_000, "a number without an end"),
    ],
)
def test_what_makes_no_sense_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(matrix.Unreadable):
        fast(text)


@given(
    st.lists(
        st.sampled_from([b'"values":[[', b"]]", b'1,"2"', b'"],[', b'{"cut":0}', b",", b"{", b"}", b'""'])
    )
)
def test_no_text_does_more_than_be_refused(parts: list[bytes]) -> None:
    padding = b'],["'.join([b'1,"2'] * LONG)
    for text in (b"".join(parts), padding.join(parts), LINE.replace(b"]]", b"".join(parts))):
        try:
            answer = matrix.decode(text)
            matrix.tracks(answer["data"]["result"])
        except (matrix.Unreadable, KeyError, TypeError, AttributeError):
            pass
