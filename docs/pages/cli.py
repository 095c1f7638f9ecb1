"""`reference/cli.md`: every command with its arguments and options, from the parser itself."""

from __future__ import annotations

from typing import Any

import typer.main

from daemon.cli.main import app
from pages.text import code, table

INTRO = """# Command line

`fleetmend COMMAND`. Exit codes: **0** good, **1** the answer is "no" (an incident is open, a row is not as it should
be), **2** a mistake in usage or configuration. Every read command takes `--json` ([shapes](json.md)).

`--url` (or `FLEETMEND_URL`) with a token reaches a daemon over HTTP; `--config` reads the local store, which works
while the daemon is down and says so. Orders go into the store as well, so they work while the web face is down.
"""


def page() -> str:
    """The whole page."""
    root = typer.main.get_command(app)
    return "\n".join([INTRO, *_sections(root, "fleetmend")])


def _sections(command: Any, name: str) -> list[str]:
    found = [] if name == "fleetmend" else [_section(command, name)]
    for child, inner in getattr(command, "commands", {}).items():
        found += _sections(inner, f"{name} {child}")
    return found


def _section(command: Any, name: str) -> str:
    rows = [_row(one) for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
    usage = " ".join([name, *(_argument(one) for one in command.params if _is_argument(one))])
    text = " ".join((command.help or "").split())
    listed = table(("argument or option", "default", "what"), rows) if rows else ""
    return f"## {name}\n\n{code(usage)}\n\n{text}\n\n{listed}"


def _is_argument(one: Any) -> bool:
    return bool(one.param_type_name == "argument")


def _argument(one: Any) -> str:
    name = one.metavar or one.name.upper()
    return name if one.required else f"[{name}]"


def _row(one: Any) -> tuple[str, str, str]:
    names = _argument(one) if _is_argument(one) else ", ".join([*one.opts, *one.secondary_opts])
    plain = isinstance(one.default, str | int | float) and not isinstance(one.default, bool)
    variable = f" Also from `{one.envvar}`." if getattr(one, "envvar", None) else ""
    needed = " Required." if one.required and not _is_argument(one) else ""
    said = f"{getattr(one, 'help', '') or ''}{variable}{needed}"
    return code(names), code(str(one.default)) if plain else "", said.strip()
