"""One self-contained HTML page about a backtest: a sentence, scores, a chart for each scope that did anything, events.

No script, no address, nothing fetched: it can be mailed, kept beside a change, and read in ten years.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from config.scope import Scope
from config.units import format_duration
from daemon.clock import rfc3339
from daemon.detect.plan import Sections, plan_of
from daemon.document import charts
from daemon.document.words import scope_text
from daemon.replay.backtest import Replayed
from daemon.replay.lanes import MOST_LANES, lanes
from daemon.replay.would import Would, told_in_words
from detectors.rule import Rule
from detectors.scoring import Label, Score, Share
from detectors.texts import threshold_text

MOST_CHARTS = 40
MOST_EVENTS = 1_000
_SHARES = frozenset({"ratio", "share_over"})


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart and its caption."""

    detector: str
    scope: str
    condition: str
    svg: Markup


def html(
    replayed: Replayed,
    sections: Sections,
    scores: Sequence[Score] = (),
    labels: Sequence[Label] = (),
    not_judged: Mapping[str, str] | None = None,
    would: Would | None = None,
) -> str:
    """The page. `replayed` was asked for curves; without labels there are no scores, without `would` no incidents."""
    rules = plan_of(sections).rules
    figures = list(_figures(replayed, rules, labels))
    template = _environment().get_template("report.html")
    return template.render(
        sentence=sentence(replayed, scores),
        start=rfc3339(replayed.start),
        end=rfc3339(replayed.end),
        step=format_duration(replayed.step),
        ticks=replayed.ticks,
        scores=[_row(one) for one in scores],
        figures=figures,
        figures_left=max(len(_told(replayed)) - len(figures), 0),
        incidents=[] if would is None else lanes(would, replayed.start, replayed.end)[:MOST_LANES],
        incidents_left=0 if would is None else max(len(would.incidents) - MOST_LANES, 0),
        would="" if would is None else told_in_words(would),
        events=[
            (rfc3339(one.at), one.detector, _where(one.scope), one.state.value.replace("_", " "))
            for one in replayed.events[:MOST_EVENTS]
        ],
        events_left=max(len(replayed.events) - MOST_EVENTS, 0),
        not_judged=not_judged if not_judged is not None else replayed.not_judged,
    )


def sentence(replayed: Replayed, scores: Sequence[Score] = ()) -> str:
    """What came of it, in one sentence."""
    length = format_duration(round(replayed.end - replayed.start))
    fired = [event for event in replayed.events if event.state.value == "fired"]
    told = (
        f"{len(fired)} firings of {len({e.detector for e in fired})} detectors" if fired else "nothing fired"
    )
    scored = [one for one in scores if one.recall.of]
    if not scored:
        return f"Over {length}: {told}."
    found, of = sum(one.recall.hits for one in scored), sum(one.recall.of for one in scored)
    late = sorted(seconds for one in scored for seconds in one.late)
    median = (
        f", {format_duration(round(late[(len(late) - 1) // 2]))} after their start in the median"
        if late
        else ""
    )
    modes = set(replayed.modes.values())
    false = sum(one.false_per_week for one in scores if one.name not in modes)
    broken = sum(one.violations for one in scores if one.name not in modes)
    quiet = f"; {broken} firings in spans that must stay quiet" if broken else ""
    return (
        f"Over {length} {found} of {of} incidents were found{median}; {false:.1f} false alarms a week{quiet}."
    )


def _figures(replayed: Replayed, rules: Mapping[str, Rule], labels: Sequence[Label]) -> Iterator[Figure]:
    for detector, scope in _told(replayed)[:MOST_CHARTS]:
        rule, curve = rules[detector], replayed.curves.get((detector, scope))
        if curve is None:
            continue
        bands = tuple(
            charts.Band(one.start, one.end, charts.BandKind(one.phase.value))
            for one in replayed.stretches
            if (one.detector, one.scope) == (detector, scope)
        )
        marks = tuple(
            charts.Mark(one.start, charts.MarkKind.CHANGE, one.note or "incident")
            for one in labels
            if not one.quiet
            and one.detector in {None, detector}
            and one.failure_mode in {None, rule.mode.value}
            and set(one.scope) <= set(scope)
        )
        drawn = charts.Chart(
            title=f"{detector} at {_where(scope)}",
            times=curve.times.tolist(),
            values=curve.values.tolist(),
            fire=rule.fire.threshold,
            clear=rule.clear.threshold,
            bands=bands,
            marks=marks,
            percent=rule.signal.kind in _SHARES and rule.baseline is None,
        )
        yield Figure(detector, _where(scope), threshold_text(rule), Markup(charts.svg(drawn)))  # noqa: S704 - the charts module escapes, and a test holds it to that


def _told(replayed: Replayed) -> list[tuple[str, Scope]]:
    """Scopes that did something, those that fired longest first."""
    firing: dict[tuple[str, Scope], float] = {(e.detector, e.scope): 0.0 for e in replayed.events}
    for one in replayed.stretches:
        if one.phase.value == "firing" and (one.detector, one.scope) in firing:
            firing[one.detector, one.scope] += one.end - one.start
    return sorted(firing, key=lambda key: (-firing[key], key))


def _where(scope: Scope) -> str:
    return scope_text(scope) if scope else "the whole pipeline"


def _row(one: Score) -> dict[str, Any]:
    return {
        "name": one.name,
        "found": f"{one.recall.hits} of {one.recall.of}" if one.recall.of else "-",
        "recall": _share(one.recall),
        "precision": _share(one.precision),
        "late": "-"
        if not one.late
        else " / ".join(format_duration(round(one.late_at(share) or 0)) for share in (0.5, 0.95, 1.0)),
        "false": f"{one.false_per_week:.1f}",
        "minutes": f"{one.minutes_firing:.0f}",
        "flaps": one.flaps or "-",
        "violations": one.violations or "-",
    }


def _share(share: Share) -> str:
    if share.value is None or share.bounds is None:
        return "-"
    low, high = share.bounds
    return f"{share.value:.0%} ({low:.0%} to {high:.0%})"


def _environment() -> Environment:
    folder = Path(__file__).parent / "templates"
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
