"""`fleetmend demo`: the pipeline with a plain `fleetmend run` watching it, to look at or to be put through scenarios."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from config.problems import did_you_mean
from daemon.cli import output
from daemon.errors import ANSWER_IS_NO, GOOD, FleetmendError, UsageError

if TYPE_CHECKING:  # imported by the command that needs them
    from daemon.cli.pipeline import Pipeline, Watched
    from daemon.cli.scenario import Judged

SCENARIOS = ("all", "every", "unfixable", "quiet")
SOURCES = ("scrape", "prometheus")

StateFolder = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="Where the pipeline keeps everything.")
]


def register(app: typer.Typer) -> None:
    """Add the command and its two sub-commands."""
    group = typer.Typer(
        help="A real pipeline to break, with the daemon watching it.",
        rich_markup_mode=None,
        invoke_without_command=True,
    )
    group.callback()(demo)
    group.command("break")(break_)
    group.command("heal")(heal)
    app.add_typer(group, name="demo")


def demo(
    context: typer.Context,
    *,
    state: StateFolder = None,
    scenario: Annotated[str | None, typer.Option(help=" | ".join(SCENARIOS))] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="MODE[:VARIANT]", help="Only these of the scenario; may repeat."),
    ] = None,
    source: Annotated[str, typer.Option(help=" | ".join(SOURCES))] = "scrape",
    config: Annotated[
        list[Path] | None,
        typer.Option("--config", "-c", help="Laid over the demo's own configuration; may repeat."),
    ] = None,
    lasts: Annotated[float, typer.Option("--lasts", help="Seconds the quiet scenario takes.")] = 180.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The demo pipeline and a daemon that watches it; Ctrl-C ends both.

    With --scenario: break it in every chosen way and check what is done; exit 0 only if each row is as it should be.
    """
    if context.invoked_subcommand is not None:
        return
    if source not in SOURCES:
        raise UsageError(f"--source: expected one of {', '.join(SOURCES)}, got {source!r}")
    if scenario is None:
        if only or as_json:
            raise UsageError("--only and --json go with --scenario")
        raise typer.Exit(_show(state, source, tuple(config or ())))
    if scenario not in SCENARIOS:
        raise UsageError(f"--scenario: expected one of {', '.join(SCENARIOS)}, got {scenario!r}")
    judged = _play(state, source, tuple(config or ()), scenario, tuple(only or ()), lasts)
    raise typer.Exit(_report(judged, as_json=as_json))


def break_(
    variant: Annotated[str, typer.Argument(metavar="MODE[:VARIANT]")], *, state: StateFolder = None
) -> None:
    """Break the running demo pipeline."""
    from daemon.cli.expectations import EXPECTED

    known = {name for mode, kind in EXPECTED for name in (mode, f"{mode}:{kind}")}
    if variant not in known:
        near = (
            did_you_mean(variant, known) or f"known are {', '.join(sorted({mode for mode, _ in EXPECTED}))}"
        )
        raise UsageError(f"there is no fault {variant!r}; {near}")
    output.line(_running(state).break_(variant).strip())


def heal(*, state: StateFolder = None) -> None:
    """Undo every fault of the running demo pipeline."""
    output.line(_running(state).heal().strip())


def _running(state: Path | None) -> Pipeline:
    """The pipeline of that folder. Raises `FleetmendError` where there is none."""
    from daemon.cli.pipeline import Pipeline, default_state

    folder = state or default_state()
    if not folder.is_dir():
        raise FleetmendError(f"no demo pipeline is in {folder}; start one with fleetmend demo")
    return Pipeline(folder, os.environ)


def _show(state: Path | None, source: str, configs: tuple[Path, ...]) -> int:
    """Bring it up, say where to look, and wait for Ctrl-C, TERM or the end of a process."""
    from daemon.cli.pipeline import PREFERRED_PORT, default_state, watched
    from daemon.clock import SystemClock
    from daemon.http.door import HttpDoor

    stop = _stop_on_signals()
    clock = SystemClock()
    folder = state or default_state()
    output.line("bringing the pipeline up …")
    door = HttpDoor(clock)
    with watched(
        folder, os.environ, door, clock, source=source, configs=configs, port=PREFERRED_PORT
    ) as found:
        _introduce(found, given=state is not None)
        while not stop.wait(0.5):
            found.must_run()
        output.line("ending …")
    return GOOD


def _introduce(found: Watched, *, given: bool) -> None:
    where = f" --state {found.pipeline.state}" if given else ""
    read = {
        "scrape": "the pipeline's own /metrics, scraped by the daemon every second",
        "prometheus": "a Prometheus that scrapes the pipeline every second",
    }[found.source]
    output.line()
    output.line(f"console   {found.url}/")
    output.line("order it  there, after Take the wheel; from this machine only, without a token")
    output.line(f"source    {read}")
    output.line(f"break it  fleetmend demo break storage_failure{where}")
    output.line(f"          or by hand: kill, chmod, edit below {found.pipeline.state}")
    output.line(f"heal it   fleetmend demo heal{where}")
    output.line(f"ask it    fleetmend incidents --url {found.url}")
    output.line("end it    Ctrl-C")


def _play(
    state: Path | None,
    source: str,
    configs: tuple[Path, ...],
    scenario: str,
    only: tuple[str, ...],
    lasts: float,
) -> list[Judged]:
    from daemon.cli.pipeline import default_state
    from daemon.cli.playing import playing

    variants = () if scenario == "quiet" else _wanted(scenario, only)
    stop = _stop_on_signals()
    folder = state or default_state()
    with playing(folder, os.environ, output.say, source=source, configs=configs, ends=stop.is_set) as stage:
        if scenario == "quiet":
            return stage.quiet(lasts)
        left_out = stage.found.pipeline.left_out()
        judged: list[Judged] = []
        for mode, variant in variants:
            if (mode, variant) in left_out:
                output.say(f"{mode}:{variant} is left out: {left_out[mode, variant]}")
            else:
                judged.append(stage.play(mode, variant))
        return judged


def _wanted(scenario: str, only: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The scenario's variants, narrowed to those named. Raises `UsageError` for a name that is none."""
    from daemon.cli.expectations import EXPECTED, chosen

    if not only:
        return chosen(scenario)
    found = [
        key
        for key in EXPECTED
        if f"{key[0]}:{key[1]}" in only or (key[0] in only and key in chosen(scenario))
    ]
    known = {name for mode, variant in EXPECTED for name in (mode, f"{mode}:{variant}")}
    for name in only:
        if name not in known:
            raise UsageError(f"--only: there is no variant {name!r}")
    return tuple(found)


def _report(judged: list[Judged], *, as_json: bool) -> int:
    from daemon.cli.rows import Rows

    wrong = sum(bool(one.wrong) for one in judged)
    if as_json:
        output.json_of(Rows(rows=[one.row for one in judged]))
    else:
        output.line(f"{len(judged) - wrong} of {len(judged)} rows are as they should be")
    return ANSWER_IS_NO if wrong or not judged else GOOD


def _stop_on_signals() -> threading.Event:
    """Set by Ctrl-C and TERM, so that the children are ended in order and not by a group's signal."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
