"""The commands around the daemon itself: run, check, schema, token."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.problems import ConfigError, Gravity, Problem, Wrong, did_you_mean
from daemon.cli import output
from daemon.cli.files import need_files
from daemon.errors import ANSWER_IS_NO, GOOD, USAGE, UsageError

if TYPE_CHECKING:  # heavy: imported by the command that needs them
    from config.loader import Loaded
    from daemon.settings.model import Settings

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
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE…", help="Later files override earlier ones.")
    ] = None,
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the sources for what each signal needs, and for its history.")
    ] = False,
    history: Annotated[
        str, typer.Option(help="With --live: how much history the thresholds are tried on; 0 for none.")
    ] = "7d",
    explain: Annotated[
        str | None, typer.Option(metavar="CODE", help="Say what a check means, and end; `all` lists them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Validate and lint a configuration: every problem at once, at its file and line."""
    from daemon.settings.load import load

    if explain is not None:
        _explain(explain)
        return
    if not files:
        raise UsageError("Missing argument 'FILE…'.")
    past = _length(history)
    need_files(files)
    try:
        loaded = load(files, environment=os.environ)
    except ConfigError as error:
        _report(error.problems, as_json=as_json)
        raise typer.Exit(USAGE) from None
    warnings = len(loaded.problems)
    told = _ask_sources(loaded, past) if live else []
    missing = [problem for problem in told if problem.severity is Gravity.ERROR]
    warnings += len(told) - len(missing)
    _report(loaded.problems, as_json=as_json)
    if not as_json:
        found = f", {len(missing)} questions without an answer" if live else ""
        output.line(f"{'not ' if missing else ''}ok: 0 errors, {warnings} warnings{found} in {_names(files)}")
    raise typer.Exit(ANSWER_IS_NO if missing else GOOD)


def _ask_sources(loaded: Loaded[Settings], history: float) -> list[Problem]:
    from daemon.cli.live import check_live
    from daemon.clock import SystemClock
    from daemon.databases import DatabaseDoor
    from daemon.files import FileDoor
    from daemon.http.door import HttpDoor
    from daemon.processes import ProcessDoor
    from remediations.actions.managers.registry import built
    from remediations.ports import Ports

    clock = SystemClock()
    http = HttpDoor(clock)
    ports = Ports(http, ProcessDoor(clock, os.environ), FileDoor(), DatabaseDoor(clock), clock)
    managers = {
        name: built(spec, ports, loaded.environment.take) for name, spec in loaded.model.managers.items()
    }
    return check_live(loaded, http, clock, history=history, managers=managers)


def _length(text: str) -> float:
    from config.units import parse_duration

    try:
        return parse_duration(text)
    except Wrong as wrong:
        raise UsageError(f"--history: {wrong}") from None


def _explain(code: str) -> None:
    from daemon.settings.lint.explain import section
    from daemon.settings.lint.registry import TOPICS

    if code == "all":
        for topic in TOPICS.values():
            output.line(f"{topic.code:24} {topic.title}")
        return
    if code not in TOPICS:
        hint = did_you_mean(code, TOPICS) or "`check --explain all` lists them"
        raise UsageError(f"--explain: no check has the code {code!r}; {hint}")
    output.line(section(TOPICS[code]).rstrip())


def schema() -> None:
    """The JSON Schema of the configuration, for editors."""
    from daemon.settings.model import Settings

    output.json_text(json.dumps(Settings.model_json_schema(by_alias=True), indent=2))


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
        output.json_text(json.dumps({"name": name, "role": role, "token": fresh, "sha256": digest}))
        return
    word = "".join(char if char.isalnum() else "_" for char in name).upper()
    variable = f"{'_' if word[0].isdigit() else ''}{word}_TOKEN_SHA256"
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
                "code": problem.code,
            }
            for problem in problems
        ]
        output.json_text(json.dumps({"problems": rows}, ensure_ascii=False))
        return
    for problem in problems:
        warning = "" if problem.severity == "error" else " [warning]"
        output.complain(f"{problem}{warning}")


def _names(files: Sequence[Path]) -> str:
    return ", ".join(str(file) for file in files)
