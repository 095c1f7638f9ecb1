"""The console script `fleetmend`: parser and dispatch. Exit 0 good, 1 the answer is "no", 2 usage or configuration."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from config.problems import ConfigError
from daemon.cli import backtest, demo, drill, orders, output, proving, reads, service, testing
from daemon.cli.files import version
from daemon.errors import GOOD, FleetmendError, exit_code

app = typer.Typer(
    name="fleetmend",
    help="Watches a fleet-telemetry pipeline, mends six failure modes, proves it, and pages people when it could not.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"fleetmend {version()}\n")
        raise typer.Exit


@app.callback()
def _root(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del show_version


service.register(app)
reads.register(app)
orders.register(app)
proving.register(app)
backtest.register(app)
testing.register(app)
drill.register(app)
demo.register(app)


def invoke(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are lines on stderr."""
    try:
        app(list(arguments), prog_name="fleetmend")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else GOOD
    except ConfigError as error:
        output.complain(str(error))
        return exit_code(error)
    except FleetmendError as error:
        output.say(str(error))
        return exit_code(error)
    return GOOD


def main() -> int:
    """The console script's entry point."""
    return invoke(sys.argv[1:])
