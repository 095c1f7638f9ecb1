"""What a backtest found, as JSON and as tables: events, then each detector in one line, then what was not judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from config.units import format_duration, format_share
from daemon.cli import output, would_have
from daemon.cli.show import number, scope_text, when, word
from daemon.clock import rfc3339
from daemon.replay.backtest import EventState, Phase, Replayed
from daemon.replay.labels import scores_of
from daemon.replay.would import Would
from detectors.scoring import Label, Score, Share

MOST_ROWS = 500
"""Events in the table; `--json` has them all."""
IN_PART = "in part"
"""Begins the reason where some of the time was judged."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One detector. `firing_s`: seconds, summed over its scopes. `unknown`: share of the time in which it was blind
    at any of `unknown_scopes` scopes.
    """

    detector: str
    fired: int
    scopes: int
    firing_s: float
    unknown: float
    unknown_scopes: int


@dataclass(frozen=True, slots=True)
class Told:
    """`rows`: detectors that were judged, if only in part. `not_judged`: detector -> why. `scores`: None without labels."""

    replayed: Replayed
    rows: tuple[Summary, ...]
    not_judged: Mapping[str, str]
    scores: tuple[Score, ...] | None = None
    would: Would | None = None
    """None when incidents were not asked for."""

    @classmethod
    def of(
        cls,
        replayed: Replayed,
        detectors: Iterable[str],
        not_judged: Mapping[str, str],
        hide: Callable[[str], str],
        labels: tuple[Label, ...] | None = None,
        would: Would | None = None,
    ) -> Told:
        """`hide` takes secrets out of a text."""
        why = {name: hide(reason) for name, reason in sorted(not_judged.items())}
        judged = [name for name in detectors if why.get(name, IN_PART).startswith(IN_PART)]
        rows = tuple(_summary_of(replayed, name) for name in judged)
        modes = {name: replayed.modes[name] for name in judged if name in replayed.modes}
        scores = None if labels is None else scores_of(replayed, modes, labels)
        return cls(replayed, rows, why, scores, would)

    def document(self) -> dict[str, Any]:
        """The JSON of the command."""
        events = [
            {
                "detector": event.detector,
                "failure_mode": event.failure_mode,
                "scope": dict(event.scope),
                "state": event.state.value,
                "at": rfc3339(event.at),
            }
            for event in self.replayed.events
        ]
        return {
            "events": events,
            "start": rfc3339(self.replayed.start),
            "end": rfc3339(self.replayed.end),
            "step_s": self.replayed.step,
            "ticks": self.replayed.ticks,
            "detectors": [asdict(row) for row in self.rows],
            "not_judged": dict(self.not_judged),
            **({} if self.scores is None else {"scores": [_score(one) for one in self.scores]}),
            **({} if self.would is None else would_have.document(self.would)),
        }

    def tables(self) -> Iterator[Text | Table]:
        """For people."""
        replayed = self.replayed
        if replayed.events:
            yield _events(replayed)
        left = len(replayed.events) - MOST_ROWS
        if left > 0:
            yield Text(f"… and {left} more; --json has them all", style="dim")
        length = format_duration(round(replayed.end - replayed.start))
        yield Text(
            f"\n{len(replayed.events) or 'no'} events in {length}, {when(replayed.start)} to "
            f"{when(replayed.end)}, {replayed.ticks} evaluations {format_duration(replayed.step)} apart\n",
            style="bold",
        )
        yield _summary(self.rows)
        if self.scores is not None:
            yield Text()
            yield _scores(self.scores)
        if self.would is not None:
            yield from would_have.tables(self.would)
        if self.not_judged:
            yield Text()
            table = output.table("not judged", "why")
            for name, why in self.not_judged.items():
                table.add_row(name, why)
            yield table


def _summary_of(replayed: Replayed, name: str) -> Summary:
    span = max(replayed.end - replayed.start, replayed.step)
    fired = [e for e in replayed.events if e.detector == name and e.state is EventState.FIRED]
    mine = [stretch for stretch in replayed.stretches if stretch.detector == name]
    firing = sum(s.end - s.start for s in mine if s.phase is Phase.FIRING)
    dark = [stretch for stretch in mine if stretch.phase is Phase.UNKNOWN]
    blind = min(_union([(s.start, s.end) for s in dark]) / span, 1.0)
    return Summary(
        name, len(fired), len({e.scope for e in fired}), firing, round(blind, 6), len({s.scope for s in dark})
    )


def _events(replayed: Replayed) -> Table:
    table = output.table("time", "detector", "scope", "state", "value")
    for event in replayed.events[:MOST_ROWS]:
        table.add_row(
            when(event.at),
            event.detector,
            scope_text(dict(event.scope)),
            word(event.state.value),
            number(event.value),
        )
    return table


def _summary(rows: Sequence[Summary]) -> Table:
    table = output.table("detector", "fired", "scopes", "minutes firing", "unknown")
    for row in rows:
        minutes = f"{row.firing_s / 60:.1f}" if row.firing_s else "-"
        at = f" at {row.unknown_scopes} scope{'s' * (row.unknown_scopes > 1)}"
        unknown = format_share(round(row.unknown, 4)) + at if row.unknown else "-"
        table.add_row(row.detector, str(row.fired or "-"), str(row.scopes or "-"), minutes, unknown)
    return table


def _score(one: Score) -> dict[str, Any]:
    """A score as JSON: shares with their 95 % bounds, seconds."""
    return {
        "name": one.name,
        "incidents": one.recall.of,
        "found": one.recall.hits,
        "recall": one.recall.value,
        "recall_bounds": one.recall.bounds,
        "firings": one.precision.of,
        "precision": one.precision.value,
        "precision_bounds": one.precision.bounds,
        "detected_after_s": {"p50": one.late_at(0.5), "p95": one.late_at(0.95), "max": one.late_at(1.0)},
        "false_alarms_per_week": one.false_per_week,
        "minutes_firing": one.minutes_firing,
        "flaps": one.flaps,
        "violations": one.violations,
    }


def _scores(scores: Sequence[Score]) -> Table:
    """A share that rests on few incidents shows how little it proves."""
    table = output.table(
        "scored", "found", "recall", "precision", "detected after", "false a week", "violations"
    )
    for one in scores:
        late = one.late_at(0.5)
        table.add_row(
            one.name,
            f"{one.recall.hits} of {one.recall.of}" if one.recall.of else "-",
            _share(one.recall),
            _share(one.precision),
            "-"
            if late is None
            else f"{format_duration(round(late))}, at most {format_duration(round(one.late[-1]))}",
            f"{one.false_per_week:.1f}",
            str(one.violations or "-"),
        )
    return table


def _share(share: Share) -> str:
    if share.value is None or share.bounds is None:
        return "-"
    low, high = share.bounds
    return f"{share.value:.0%} ({low:.0%} to {high:.0%})"


def _union(spans: list[tuple[float, float]]) -> float:
    """Seconds covered by any of them."""
    covered, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        covered += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return covered
