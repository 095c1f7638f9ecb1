"""Labels of a past: incidents that should have been found, and spans in which nothing may fire, from a YAML file.

incidents:
- {start: 2026-01-05T09:10:00Z, end: 2026-01-05T09:40:00Z, detector: storage-writes, scope: {tier: hot}}
quiet:
- {start: 2026-01-06T02:00:00Z, end: 2026-01-06T04:00:00Z, note: rolling restart}
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from config.loader import load
from config.problems import Wrong
from config.scope import scope_of
from config.section import FailureMode, Section
from daemon.clock import parse_rfc3339
from daemon.replay.backtest import Phase, Replayed
from detectors.scoring import Firing, Label, Score, score
from detectors.spec import LabelName, Name

MOST = 10_000


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).timestamp()
    if isinstance(value, str):
        try:
            return parse_rfc3339(value)
        except ValueError:
            raise Wrong(f"not an instant: {value!r}", "write 2026-01-05T09:10:00Z, or unix seconds") from None
    return value


Instant = Annotated[float, BeforeValidator(_instant), Field(ge=0)]


class Span(Section):
    """Whom it concerns: left out, any detector, failure mode or scope. Instants: RFC 3339 or unix seconds."""

    start: Instant
    end: Instant
    detector: Name | None = None
    failure_mode: FailureMode | None = None
    scope: dict[LabelName, str] = Field(default_factory=dict)
    note: str = Field("", max_length=1_000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end < self.start:
            raise Wrong("it ends before it starts", "swap start and end")
        return self


class LabelsFile(Section):
    """The whole file."""

    incidents: tuple[Span, ...] = Field((), max_length=MOST)
    quiet: tuple[Span, ...] = Field((), max_length=MOST)


def load_labels(path: Path) -> tuple[Label, ...]:
    """Every label of the file. Raises `ConfigError` with every problem at its line."""
    model = load([path], LabelsFile, environment={}, pack=False).model
    return (*_labels(model.incidents, quiet=False), *_labels(model.quiet, quiet=True))


def scores_of(replayed: Replayed, modes: dict[str, str], labels: tuple[Label, ...]) -> tuple[Score, ...]:
    """How well a backtest did. `modes`: failure mode by detector, of those that were judged."""
    firings = [
        Firing(one.detector, modes[one.detector], one.scope, one.start, one.end)
        for one in replayed.stretches
        if one.phase is Phase.FIRING and one.detector in modes
    ]
    return score(modes, firings, labels, replayed.start, replayed.end)


def _labels(spans: tuple[Span, ...], *, quiet: bool) -> Iterator[Label]:
    for span in spans:
        mode = None if span.failure_mode is None else span.failure_mode.value
        scope = scope_of(span.scope)
        yield Label(span.start, span.end, span.detector, mode, scope, quiet=quiet, note=span.note)
