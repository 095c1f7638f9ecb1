"""Charts: valid, honest about what is unknown, and the same in words."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.document.charts import Band, BandKind, Chart, Mark, MarkKind, describe, sparkline, svg

T = 1_767_600_000.0
NAN = math.nan


def chart(**fields: object) -> Chart:
    times = [T + 60 * n for n in range(30)]
    values = [0.002 * n for n in range(30)]
    values[10:13] = [NAN, NAN, NAN]
    given_: dict[str, object] = {
        "title": "Write errors, hot", "times": times, "values": values, "fire": 0.01, "clear": 0.005,
        "bands": (Band(T + 300, T + 600, BandKind.PENDING), Band(T + 600, T + 780, BandKind.UNKNOWN), Band(T + 780, T + 1500, BandKind.FIRING)),
        "marks": (Mark(T + 360, MarkKind.ACTION, "fail-over"), Mark(T + 900, MarkKind.PAGE, "L1 ana"), Mark(T + 100, MarkKind.CHANGE, "deploy 2.4")),
        "percent": True, "zone": "Europe/Paris",
    }  # fmt: skip
    return Chart(**(given_ | fields))  # type: ignore[arg-type]  # names are Chart's own


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)


def test_a_chart_is_one_valid_picture_without_anything_from_outside() -> None:
    root = parsed(svg(chart()))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "href" not in svg(chart())
    ids = re.findall(r'id="([^"]+)"', svg(chart()))
    assert len(ids) == len(set(ids))


def test_what_is_unknown_is_a_gap_and_a_hatched_band() -> None:
    picture = svg(chart())
    assert picture.count('class="signal"') == 2, "the line is broken in two"
    assert re.search(r'class="band unknown"[^>]*fill="url\(#', picture)


def test_a_single_known_value_is_a_dot() -> None:
    assert "<circle" in svg(chart(values=[NAN] * 15 + [0.01] + [NAN] * 14))


def test_ticks_are_round_in_value_and_on_the_readers_clock() -> None:
    picture = svg(chart())
    values = re.findall(r'text-anchor="end" fill="#555">([^<]+)<', picture)
    assert values == ["0%", "2%", "4%", "6%"]
    times = re.findall(r'text-anchor="middle" fill="#555">([^<]+)<', picture)
    assert times == ["09:00", "09:05", "09:10", "09:15", "09:20", "09:25"]


def test_lines_bands_and_marks_carry_words_and_not_colour_alone() -> None:
    picture = svg(chart())
    for word in ("fires 1%", "clears 0.5%", ">firing<", "fail-over", "L1 ana", "deploy 2.4"):
        assert word in picture
    shapes = set(re.findall(r'class="mark [a-z]+"[^>]*><title>[^<]*</title><path d="([^"]+)"', picture))
    assert len(shapes) == 3


def test_the_chart_in_words() -> None:
    said = describe(chart())
    assert said.startswith(
        "From 09:00 CET / 08:00Z to 09:29 CET / 08:29Z: between 0% and 5.8%, last 5.8% at 09:29 CET / 08:29Z."
    )
    for part in (
        "Fires at 1%.",
        "Clears at 0.5%.",
        "Unknown from 09:10 to 09:13.",
        "Action at 09:06: fail-over.",
    ):
        assert part in said
    assert describe(chart(values=[NAN] * 30)).startswith("Nothing is known in this span.")


def test_texts_are_escaped() -> None:
    evil = '</title><script>alert("x")</script>&\x00\ud800'
    picture = svg(chart(title=evil, unit=evil, marks=(Mark(T, MarkKind.ACTION, evil),)))
    parsed(picture)
    assert "<script" not in picture


@pytest.mark.parametrize(
    "values",
    [[], [0.0], [NAN], [5.0] * 7, [-3.0, 2.0], [1e-9, 2e-9], [1e12, 3e12], [math.inf, 1.0], [0.1 + 0.2] * 3],
)
def test_odd_series_are_drawn_too(values: list[float]) -> None:
    parsed(svg(Chart("x", [T + n for n in range(len(values))], values)))
    parsed(sparkline(values, line=0.5, title="x"))


@given(st.lists(st.floats(width=32) | st.floats(-1e6, 1e6), max_size=50), st.none() | st.floats(-1e6, 1e6))
def test_any_values_give_a_picture_inside_its_frame(values: list[float], fire: float | None) -> None:
    picture = svg(Chart("x", [T + 15 * n for n in range(len(values))], values, fire=fire))
    parsed(picture)
    for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)(?=[LH\"])", picture):
        assert -1 <= float(x) <= 721
        assert -1 <= float(y) <= 241


def test_a_long_series_is_thinned_to_what_can_be_seen_and_keeps_its_peak() -> None:
    values = [0.0] * 50_000
    values[31_234] = 9.0
    picture = svg(Chart("x", [T + n for n in range(50_000)], values))
    assert len(picture) < 60_000
    top = min(float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)", picture))
    assert top < 60, "the peak is still there"


def test_the_same_chart_is_drawn_the_same() -> None:
    assert svg(chart()) == svg(chart())


def test_a_sparkline_is_small_and_keeps_gaps() -> None:
    small = sparkline([1, 2, NAN, 3, 4], line=2.5, title="write errors")
    assert parsed(small).find("{http://www.w3.org/2000/svg}title") is not None
    assert small.count('class="signal"') == 2
    assert len(small) < 600
