"""Charts as SVG, drawn by this one module for console, post-mortem, mail and report.

Plain presentation attributes make a chart readable in mail and on paper; a page that has a stylesheet recolours it by
class. What is unknown is a hatched band and a gap in the line, never interpolated. Colour never stands alone: bands,
lines and marks carry words. Every text is escaped, and title and description say the same in words.
"""

from __future__ import annotations

import hashlib
import html
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from daemon.document.words import Clockface, number

WIDTH, HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 26, 40
_STEPS = (1.0, 2.0, 5.0, 10.0)
_TIME_STEPS = (
    1,
    5,
    10,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
    172800,
    604800,
)
_MAX_TEXT = 200
_MARK_TEXT = 22
_GLYPH = 6.0
"""Width of a character at the charts' size, on the generous side: what is left out overlaps nothing."""


class BandKind(StrEnum):
    """What was known of the detector over a span."""

    PENDING = "pending"
    FIRING = "firing"
    UNKNOWN = "unknown"


class MarkKind(StrEnum):
    """What happened at an instant."""

    ACTION = "action"
    PAGE = "page"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Band:
    start: float
    end: float
    kind: BandKind


@dataclass(frozen=True, slots=True)
class Mark:
    at: float
    kind: MarkKind
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One signal over time. `times` (unix seconds, rising) and `values` are of one length; NaN is unknown.

    `fire`, `clear`: the thresholds' numbers. `percent`: values are shares and shown as such.
    """

    title: str
    times: Sequence[float]
    values: Sequence[float]
    fire: float | None = None
    clear: float | None = None
    bands: tuple[Band, ...] = ()
    marks: tuple[Mark, ...] = ()
    unit: str = ""
    percent: bool = False
    zone: str = "UTC"


def svg(chart: Chart, *, width: int = WIDTH, height: int = HEIGHT) -> str:
    """The whole chart, `width` by `height` units, scaling to whatever room it is given."""
    plot = _Plot(chart, width, height)
    name = _name(chart)
    parts = [
        _opening(chart, name, width, height),
        _hatching(name),
        *_bands(plot, name),
        *_value_axis(plot),
        *_time_axis(plot),
        *_thresholds(plot),
        *_lines(plot),
        *_marks(plot),
        "</svg>",
    ]
    return "".join(parts)


def _opening(chart: Chart, name: str, width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="{name}-t {name}-d" font-family="system-ui, sans-serif" font-size="11">'
        f'<title id="{name}-t">{_text(chart.title)}</title><desc id="{name}-d">{_text(describe(chart), 2000)}</desc>'
    )


def _hatching(name: str) -> str:
    return (
        f'<defs><pattern id="{name}-h" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path class="hatch" d="M0 0V6" stroke="#888" stroke-width="2"/></pattern></defs>'
    )


def sparkline(
    values: Sequence[float], *, line: float | None = None, title: str = "", width: int = 96, height: int = 20
) -> str:
    """The last values as a small line, with the threshold; gaps stay gaps. No text but its title."""
    known = [value for value in values if math.isfinite(value)]
    low, high = _range([*known, *([] if line is None else [line])])
    step = (width - 2) / max(1, len(values) - 1)

    def y_at(value: float) -> float:
        return round(height - 2 - (value - low) / (high - low) * (height - 4), 1)

    points = [(1 + index * step, value) for index, value in enumerate(values)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="spark" viewBox="0 0 {width} {height}" role="img"><title>{_text(title)}</title>'
    ]
    if line is not None:
        parts.append(
            f'<path class="fire" d="M0 {y_at(line)}H{width}" stroke="#b00" stroke-dasharray="2 2" fill="none"/>'
        )
    parts += [_path(run, lambda x: round(x, 1), y_at) for run in _runs(points)]
    return "".join([*parts, "</svg>"])


def describe(chart: Chart) -> str:
    """The chart in words: range, last value, thresholds, bands, marks."""
    clock = Clockface(chart.times[-1] if len(chart.times) else 0.0, chart.zone)
    known = [(at, value) for at, value in zip(chart.times, chart.values, strict=True) if math.isfinite(value)]
    says = []
    if known:
        values = [value for _, value in known]
        says.append(
            f"From {clock.both(chart.times[0])} to {clock.both(chart.times[-1])}: between {_value(chart, min(values))} "
            f"and {_value(chart, max(values))}, last {_value(chart, known[-1][1])} at {clock.both(known[-1][0])}."
        )
    else:
        says.append("Nothing is known in this span.")
    if chart.fire is not None:
        says.append(f"Fires at {_value(chart, chart.fire)}.")
    if chart.clear is not None:
        says.append(f"Clears at {_value(chart, chart.clear)}.")
    says += [
        f"{band.kind.capitalize()} from {clock.short(band.start)} to {clock.short(band.end)}."
        for band in chart.bands
    ]
    says += [f"{mark.kind.capitalize()} at {clock.short(mark.at)}: {mark.text}." for mark in chart.marks]
    return " ".join(says)


class _Plot:
    """Scales of one chart."""

    def __init__(self, chart: Chart, width: int, height: int) -> None:
        self.chart = chart
        self.left, self.right = float(_LEFT), float(width - _RIGHT)
        self.top, self.bottom = float(_TOP), float(height - _BOTTOM)
        instants = [*chart.times, *(band.start for band in chart.bands), *(mark.at for mark in chart.marks)]
        self.start = min(instants, default=0.0)
        self.end = max([*instants, *(band.end for band in chart.bands)], default=1.0)
        if self.end <= self.start:
            self.end = self.start + 1.0
        bounds = [value for value in chart.values if math.isfinite(value)]
        low, high = _range([*bounds, *(line for line in (chart.fire, chart.clear) if line is not None), 0.0])
        self.step = _nice((high - low) / 4)
        self.low, self.high = math.floor(low / self.step) * self.step, math.ceil(high / self.step) * self.step

    def x(self, at: float) -> float:
        share = (at - self.start) / (self.end - self.start)
        return round(self.left + min(1.0, max(0.0, share)) * (self.right - self.left), 1)

    def y(self, value: float) -> float:
        return round(self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top), 1)


def _bands(plot: _Plot, name: str) -> Iterator[str]:
    fills = {BandKind.PENDING: "#f3e3b3", BandKind.FIRING: "#f3c6c0", BandKind.UNKNOWN: f"url(#{name}-h)"}
    for band in plot.chart.bands:
        left, right = plot.x(band.start), plot.x(band.end)
        wide = max(1.0, round(right - left, 1))
        yield (
            f'<rect class="band {band.kind}" x="{left}" y="{plot.top}" width="{wide}" '
            f'height="{plot.bottom - plot.top}" fill="{fills[band.kind]}" fill-opacity="0.6"/>'
        )
        if wide > 7 * len(band.kind):
            yield f'<text class="label" x="{left + 4}" y="{plot.top + 12}" fill="#444">{band.kind}</text>'


def _value_axis(plot: _Plot) -> Iterator[str]:
    for index in range(round((plot.high - plot.low) / plot.step) + 1):
        value = plot.low + index * plot.step
        y = plot.y(value)
        yield f'<path class="grid" d="M{plot.left} {y}H{plot.right}" stroke="#ddd" fill="none"/>'
        yield f'<text class="tick" x="{plot.left - 6}" y="{y + 4}" text-anchor="end" fill="#555">{_text(_value(plot.chart, value))}</text>'


def _time_axis(plot: _Plot) -> Iterator[str]:
    """Ticks at round times of the reader's wall clock."""
    span = plot.end - plot.start
    step = next((step for step in _TIME_STEPS if span / step <= 8), math.ceil(span / 8 / 604800) * 604800)
    zone = ZoneInfo(plot.chart.zone)
    shift = datetime.fromtimestamp(plot.start, zone).utcoffset()
    offset = shift.total_seconds() if shift is not None else 0.0
    form = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86400 else "%d %b"
    at = math.ceil((plot.start + offset) / step) * step - offset
    while at <= plot.end:
        label = datetime.fromtimestamp(at, zone).strftime(form)
        yield f'<path class="grid" d="M{plot.x(at)} {plot.bottom}v4" stroke="#999" fill="none"/>'
        yield f'<text class="tick" x="{plot.x(at)}" y="{plot.bottom + 15}" text-anchor="middle" fill="#555">{label}</text>'
        at += step
    yield f'<text class="tick" x="{plot.left}" y="{plot.bottom + 31}" fill="#555">{_text(plot.chart.zone)}</text>'


def _thresholds(plot: _Plot) -> Iterator[str]:
    for name, value, dash in (("fires", plot.chart.fire, "6 3"), ("clears", plot.chart.clear, "2 3")):
        if value is None:
            continue
        y = plot.y(value)
        side = plot.right - 4
        yield f'<path class="{"fire" if name == "fires" else "clear"}" d="M{plot.left} {y}H{plot.right}" stroke="#b00" stroke-dasharray="{dash}" fill="none"/>'
        lift = -4 if name == "fires" else 12
        yield f'<text class="label" x="{side}" y="{y + lift}" text-anchor="end" fill="#900">{name} {_text(_value(plot.chart, value))}</text>'


def _lines(plot: _Plot) -> Iterator[str]:
    points = list(zip(plot.chart.times, plot.chart.values, strict=True))
    for run in _runs(points):
        yield _path(_thinned(run, plot), plot.x, plot.y)


def _marks(plot: _Plot) -> Iterator[str]:
    """A line with a shape of its own per kind on top; the number leads to the description."""
    shapes = {
        MarkKind.ACTION: "M-5 0L0 -8L5 0Z",
        MarkKind.PAGE: "M-4 -8H4V0H-4Z",
        MarkKind.CHANGE: "M0 -9L5 -4L0 1L-5 -4Z",
    }
    taken = -math.inf
    for mark in sorted(plot.chart.marks, key=lambda mark: mark.at):
        x = plot.x(mark.at)
        yield (
            f'<g class="mark {mark.kind}" transform="translate({x} {plot.top})"><title>{_text(mark.text)}</title>'
            f'<path d="{shapes[mark.kind]}" fill="#225"/><path d="M0 0V{plot.bottom - plot.top}" stroke="#225" stroke-opacity="0.5"/></g>'
        )
        wide = _GLYPH * min(len(mark.text), _MARK_TEXT)
        after, before = (x + 8, x + 8 + wide), (x - 8 - wide, x - 8)
        place = next(
            (span for span in (after, before) if span[0] >= taken and span[1] <= plot.right + _RIGHT), None
        )
        if place is not None:
            end = ' text-anchor="end"' if place is before else ""
            at = place[1] if place is before else place[0]
            yield f'<text class="label" x="{round(at, 1)}" y="{plot.top - 10}"{end} fill="#225">{_text(mark.text, _MARK_TEXT)}</text>'
            taken = place[1] + 8
        taken = max(taken, x + 8)


def _runs(points: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """Stretches without an unknown value."""
    run: list[tuple[float, float]] = []
    for point in points:
        if math.isfinite(point[1]):
            run.append(point)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _thinned(run: list[tuple[float, float]], plot: _Plot) -> list[tuple[float, float]]:
    """At most the lowest and the highest point per unit of width: what can be seen stays as it is."""
    if len(run) <= 2 * (plot.right - plot.left):
        return run
    kept: dict[int, list[tuple[float, float]]] = {}
    for point in run:
        kept.setdefault(int(plot.x(point[0])), []).append(point)
    extremes: list[tuple[float, float]] = []
    for points in kept.values():
        low, high = min(points, key=lambda p: p[1]), max(points, key=lambda p: p[1])
        extremes += sorted({low, high})
    return extremes


def _path(
    run: Sequence[tuple[float, float]], x: Callable[[float], float], y: Callable[[float], float]
) -> str:
    if len(run) == 1:
        return f'<circle class="signal" cx="{x(run[0][0])}" cy="{y(run[0][1])}" r="1.5" fill="#135"/>'
    steps = "L".join(f"{x(at)} {y(value)}" for at, value in run)
    return f'<path class="signal" d="M{steps}" stroke="#135" stroke-width="1.5" fill="none"/>'


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest, far enough apart to be divided into ticks."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    size = max(abs(low), abs(high))
    if high - low > max(size * 1e-9, 1e-200):
        return low, high
    return low, low + max(size, 1e-200) if size else 1.0


def _nice(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor for factor in _STEPS if factor * power >= step * 0.999) * power


def _value(chart: Chart, value: float) -> str:
    clean = 0.0 if abs(value) < 1e-12 else value
    text = f"{clean * 100:.4g}%" if chart.percent else number(clean)
    return f"{text} {chart.unit}".rstrip()


def _name(chart: Chart) -> str:
    """Unique enough for the ids of several charts on one page, and the same each time it is drawn."""
    first = chart.times[0] if len(chart.times) else 0.0
    return (
        "c"
        + hashlib.blake2s(
            f"{chart.title}|{first}|{len(chart.times)}".encode(errors="replace"), digest_size=5
        ).hexdigest()
    )


def _text(text: str, limit: int = _MAX_TEXT) -> str:
    """Escaped, bounded, and free of what XML cannot hold."""
    clean = "".join(
        char
        for char in text
        if char >= " " and not 0xD800 <= ord(char) <= 0xDFFF and ord(char) not in {0xFFFE, 0xFFFF}
    )
    return html.escape(clean if len(clean) <= limit else f"{clean[: limit - 1]}…")
