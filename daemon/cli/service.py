"""The commands around the daemon itself: run, check, schema, token."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.problems import ConfigError, Problem
from daemon.cli import output
from daemon.cli.files import need_files
from daemon.errors import ANSWER_IS_NO, GOOD, USAGE, UsageError

if TYPE_CHECKING:  # heavy: imported by the command that needs them
    from config.loader import Loaded
    from daemon.settings.model import Settings

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Later files override earlier ones.")]
Configs = Annotated[
    list[Path], typer.Option("--config", "-c", envvar="FLEETMEND_CONFIG", help="May repeat; later overrides.")
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for function in (run, check, schema, token):
        app.command()(function)


def run(config: Configs) -> None:
    """The daemon in the foreground; SIGTERM drains, SIGHUP reloads."""
    from daemon.app.live import run as run_daemon

    need_files(config)
    raise typer.Exit(run_daemon(config, environment=os.environ))


def check(
    files: Files,
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the sources whether each signal has series.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Validate and lint a configuration: every problem at once, at its file and line."""
    from daemon.settings.load import load

    need_files(files)
    try:
        loaded = load(files, environment=os.environ)
    except ConfigError as error:
        _report(error.problems, as_json=as_json)
        raise typer.Exit(USAGE) from None
    warnings = len(loaded.problems)
    missing = _ask_sources(loaded) if live else []
    _report(loaded.problems, as_json=as_json)
    if not as_json:
        found = f", {len(missing)} signals without an answer" if live else ""
        output.line(f"{'not ' if missing else ''}ok: 0 errors, {warnings} warnings{found} in {_names(files)}")
    raise typer.Exit(ANSWER_IS_NO if missing else GOOD)


def _ask_sources(loaded: Loaded[Settings]) -> list[Problem]:
    from daemon.cli.live import check_live
    from daemon.clock import SystemClock
    from daemon.http.door import HttpDoor

    clock = SystemClock()
    return check_live(loaded, HttpDoor(clock), clock)


def schema() -> None:
    """The JSON Schema of the configuration, for editors."""
    from daemon.settings.model import Settings

    output.line(json.dumps(Settings.model_json_schema(by_alias=True), indent=2))


def token(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    *,
    role: Annotated[str, typer.Option(help="viewer, operator or admin")] = "operator",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a named API token: printed once, only its SHA-256 is configured."""
    from daemon.desk.tokens import NAMED, Role, digest_of, new_token

    if role not in set(Role):
        raise UsageError(f"--role: expected one of {', '.join(Role)}, got {role!r}")
    if not re.fullmatch(NAMED, name):
        raise UsageError(f"a token's name has letters, digits, dots and dashes, got {name!r}")
    fresh = new_token()
    digest = digest_of(fresh)
    if as_json:
        output.line(json.dumps({"name": name, "role": role, "token": fresh, "sha256": digest}))
        return
    variable = f"{''.join(char if char.isalnum() else '_' for char in name).upper()}_TOKEN_SHA256"
    output.line(f"token (shown once):  {fresh}")
    output.line(f"sha256:              {digest}")
    output.line()
    output.line(f"export {variable}={digest}")
    output.line(f"tokens: [{{name: {name}, role: {role}, sha256: {{env: {variable}}}}}]")


def _report(problems: Sequence[Problem], *, as_json: bool) -> None:
    if as_json:
        rows: list[dict[str, Any]] = [
            {
                "file": problem.file,
                "line": problem.line,
                "path": problem.path,
                "severity": problem.severity,
                "problem": problem.problem,
                "hint": problem.hint,
            }
            for problem in problems
        ]
        output.line(json.dumps({"problems": rows}, ensure_ascii=False))
        return
    for problem in problems:
        warning = "" if problem.severity == "error" else " [warning]"
        typer.echo(f"{problem}{warning}", err=True)


def _names(files: Sequence[Path]) -> str:
    return ", ".join(str(file) for file in files)
