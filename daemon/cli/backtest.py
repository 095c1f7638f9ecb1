"""`backtest`: what this configuration would have seen in a recorded file, or in the history of a Prometheus."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import orjson
import typer

from daemon.cli import output
from daemon.cli.files import need_files
from daemon.cli.instants import parse_instant
from daemon.cli.service import Configs
from daemon.clock import SystemClock, rfc3339
from daemon.errors import ANSWER_IS_NO, UsageError

if TYPE_CHECKING:  # heavy: imported by the command that needs them
    from config.loader import Loaded
    from daemon.cli.past import Told
    from daemon.replay.backtest import Replayed
    from daemon.replay.doors import Past, Recorded, Remembered
    from daemon.replay.hindsight import Hindsight
    from daemon.replay.shelf import Shelf
    from daemon.replay.would import Would
    from daemon.settings.model import Settings
    from detectors.scoring import Label
    from detectors.spec import PrometheusSource

_MOST_SHOWN = 5


Recording = Annotated[
    Path | None,
    typer.Option("--series", metavar="FILE", help="Read OpenMetrics with timestamps from this file."),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--prometheus",
        metavar="URL",
        help="Read the history of this Prometheus; if configured, with its credentials.",
    ),
]
Start = Annotated[
    str | None,
    typer.Option(metavar="T", help="2026-01-05T09:00:00Z, unix seconds, now or -30d; else the file's begin."),
]
End = Annotated[str | None, typer.Option(metavar="T", help="The same; else the file's end, or now.")]
Only = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only the detectors of this telemetry source.")
]
Kept = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Keep what Prometheus answered here; else in the user's cache."),
]
NotKept = Annotated[bool, typer.Option("--no-cache", help="Keep nothing, and use nothing kept.")]
Labels = Annotated[
    Path | None,
    typer.Option(
        "--labels", metavar="FILE", help="Score against the incidents and quiet spans of this YAML file."
    ),
]
Report = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write one self-contained HTML page here.")
]
WithIncidents = Annotated[
    bool,
    typer.Option(
        "--incidents/--no-incidents",
        help="Go on to incidents, to what would have been done about them, and to pages.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(backtest)


def backtest(
    config: Configs,
    *,
    series: Recording = None,
    prometheus: Address = None,
    start: Start = None,
    end: End = None,
    source: Only = None,
    labels: Labels = None,
    report: Report = None,
    cache: Kept = None,
    no_cache: NotKept = False,
    incidents: WithIncidents = True,
    as_json: AsJson = False,
) -> None:
    """What this configuration would have seen and done: the live daemon's own code over the past. Nobody is asked, acted
    on or paged.

    Exit 1 when the Prometheus gave nothing at all.
    """
    need_files([*config, *([series] if series else []), *([labels] if labels else [])])
    if (series is None) == (prometheus is None):
        raise UsageError("give one of --series FILE and --prometheus URL")
    loaded = _loaded(config)
    judged_by = _labels(labels)
    names = _names(loaded.model, source)
    # On the grid of evaluations: the same question soon after is the same question, and finds what was kept.
    now = round(math.floor(SystemClock().now() / loaded.model.poll_interval) * loaded.model.poll_interval, 3)
    past: Recorded | Remembered
    if series is not None:
        past = _recorded(loaded, series, names)
        first, last = _span(past, series)
    else:
        past = _remembered(loaded, prometheus or "", names, None if no_cache else _shelf(cache))
        first, last = None, now
    begin = first if start is None else parse_instant("--start", start, now)
    if begin is None:
        raise UsageError("--start is needed with --prometheus, for example --start -7d")
    until = last if end is None else parse_instant("--end", end, now)
    hindsight = _hindsight(loaded, past) if incidents else None
    replayed = _replay(past, begin, until, curves=report is not None, hindsight=hindsight)
    would = None if hindsight is None else hindsight.told(replayed.end)
    told = _tell(past, replayed, judged_by, would, loaded.redactor.text, as_json=as_json)
    if report is not None:
        _write(report, past, told, judged_by or ())
    if not past.answered:
        raise typer.Exit(ANSWER_IS_NO)


def _loaded(config: Sequence[Path]) -> Loaded[Settings]:
    """Secrets that are not there have a stand-in: most are for what a backtest never does."""
    from daemon.cli.setup import Lenient
    from daemon.settings.load import load

    return load(config, environment=Lenient(os.environ))


def _labels(file: Path | None) -> tuple[Label, ...] | None:
    from daemon.replay.labels import load_labels

    return None if file is None else load_labels(file)


def _names(settings: Settings, source: str | None) -> tuple[str, ...]:
    """The sources that are replaced."""
    known = tuple(settings.telemetry)
    if not known:
        raise UsageError("the configuration has no telemetry source for a detector to read from")
    if source is None:
        return known
    if source not in known:
        raise UsageError(f"--source: no telemetry source is named {source!r}; known are {', '.join(known)}")
    return (source,)


def _recorded(loaded: Loaded[Settings], series: Path, names: tuple[str, ...]) -> Recorded:
    from daemon.app.build import sections_of
    from daemon.replay.doors import recorded

    return recorded(sections_of(loaded.model), series, names)


def _span(past: Recorded, series: Path) -> tuple[float | None, float]:
    """Reads the file: what is wrong with it ends the command before anything is judged."""
    from daemon.detect.sources.exposition import Malformed

    try:
        span = past.span()
    except (OSError, Malformed) as error:
        raise UsageError(str(error)) from error
    for warning in past.warnings:
        output.say(warning)
    if span is None:
        raise UsageError(f"{series}: has no metric that a detector of this configuration reads")
    return span


def _shelf(folder: Path | None) -> Shelf:
    from daemon.replay.shelf import Shelf, default_folder

    return Shelf(folder or default_folder(os.environ))


def _remembered(
    loaded: Loaded[Settings], url: str, names: tuple[str, ...], shelf: Shelf | None
) -> Remembered:
    from daemon.app.build import sections_of
    from daemon.http.door import HttpDoor
    from daemon.replay.doors import prometheus_at, remembered

    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError("--prometheus: write an address such as http://prometheus:9090")
    if absent(prometheus_at(loaded.model.telemetry, url)):
        raise UsageError(
            "--prometheus: a secret that the configuration names for this address is not set here"
        )
    clock = SystemClock()
    return remembered(sections_of(loaded.model), url, names, HttpDoor(clock), clock, shelf)


def absent(spec: PrometheusSource) -> bool:
    """Whether credentials of this source are stand-ins."""
    from daemon.cli.setup import ABSENT
    from daemon.detect.sources.base import access_of

    access = access_of(spec.auth, spec.headers, spec.tls)
    values = [*access.headers.values(), *(access.basic or ())]
    return any(ABSENT in value for value in values)


def _write(report: Path, past: Past, told: Told, labels: tuple[Label, ...]) -> None:
    from daemon.replay.report import html

    page = html(told.replayed, past.sections, told.scores or (), labels, told.not_judged, told.would)
    try:
        report.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--report: {report} cannot be written: {error.strerror}") from error


def _hindsight(loaded: Loaded[Settings], past: Past) -> Hindsight:
    from daemon.replay.hindsight import Hindsight

    return Hindsight(loaded, past.sections)


def _replay(past: Past, begin: float, end: float, *, curves: bool, hindsight: Hindsight | None) -> Replayed:
    from daemon.replay.backtest import backtest as replay

    if end < begin:
        raise UsageError(f"the end, {rfc3339(end)}, lies before the start, {rfc3339(begin)}")
    try:
        with _progress() as progress:
            return replay(
                past.sections,
                past.sources,
                begin,
                end,
                chunk=past.chunk,
                curves=curves,
                progress=progress,
                onlooker=hindsight,
            )
    except ValueError as error:
        raise UsageError(str(error)) from error
    finally:
        past.close()


@contextmanager
def _progress() -> Iterator[Callable[[float], None]]:
    """A bar on stderr, if somebody sits there."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("replaying"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=1.0)
        yield lambda done: bar.update(task, completed=done)


def _troubles(past: Remembered) -> Iterator[str]:
    """What of the history could not be read or kept."""
    missing = past.missing
    for name, one in missing[:_MOST_SHOWN]:
        yield f"{name}: unknown from {rfc3339(one.begin)} to {rfc3339(one.end)}: {one.reason}"
    if len(missing) > _MOST_SHOWN:
        yield f"{len(missing) - _MOST_SHOWN} more spans are unknown; --json has them all"
    if past.shelf is not None and past.shelf.trouble:
        yield f"answers are not kept for the next time: {past.shelf.trouble}"


def _tell(
    past: Past,
    replayed: Replayed,
    labels: tuple[Label, ...] | None,
    would: Would | None,
    hide: Callable[[str], str],
    *,
    as_json: bool,
) -> Told:
    from daemon.cli import past as faces
    from daemon.replay.doors import Remembered

    missed = {**replayed.not_judged, **past.left_out}
    told = faces.Told.of(replayed, past.detectors, missed, hide, labels, would)
    missing: list[dict[str, str]] = []
    if isinstance(past, Remembered):
        missing = [
            {"source": name, "begin": rfc3339(one.begin), "end": rfc3339(one.end), "reason": hide(one.reason)}
            for name, one in past.missing
        ]
        for trouble in _troubles(past):
            output.say(hide(trouble))
    if as_json:
        document = orjson.dumps({**told.document(), "missing": missing}, option=orjson.OPT_INDENT_2)
        output.json_text(hide(document.decode()))
    else:
        output.show(*told.tables())
    return told
