"""What a person types when the daemon must not or could not: the same change as an action of the pack, as a command."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from config.templates import Template, TemplateError
from remediations.spec import action_of

HOLES = re.compile(r"\{\{\s*(.*?)\s*\}\}")


def command(do: Mapping[str, Any], names: Mapping[str, object]) -> str:
    """A shell command; what only the moment knows stands in `<…>`."""
    kind, args = action_of(do)
    by_kind = {
        "http": _http,
        "service": _service,
        "file_link": _file_link,
        "command": _command,
        "notify": _notify,
    }
    return by_kind[kind](args, names)


def filled(text: str, names: Mapping[str, object]) -> str:
    """The template with what is known; the rest in angle brackets."""
    try:
        return Template(text).render(names)
    except TemplateError:
        return HOLES.sub(lambda hole: f"<{hole[1]}>", text)


def _http(args: Mapping[str, Any], names: Mapping[str, object]) -> str:
    parts = ["curl -sS --fail-with-body"]
    parts += [f"-X {args.get('method', 'POST')}"]
    if "json" in args:
        body = filled(json.dumps(args["json"]), names)
        parts += ["-H 'content-type: application/json'", f"-d {_quoted(body)}"]
    return " ".join([*parts, f'"{filled(args["url"], names)}"'])


def _notify(args: Mapping[str, Any], names: Mapping[str, object]) -> str:
    return _http(args["webhook"], names)  # the one way that the pack uses


def _quoted(body: str) -> str:
    """In quotes that let the shell fill in variables, where there are any."""
    return '"' + body.replace('"', '\\"') + '"' if "$" in body else f"'{body}'"


def _service(args: Mapping[str, Any], names: Mapping[str, object]) -> str:
    if "scale" in args:
        group, to = filled(args["scale"], names), filled(str(args["to"]), names)
        return f"supervisorctl start '{group}:*'    # until {to} of the group run; stop what is above"
    operation = next(name for name in ("restart", "stop", "start") if name in args)
    return f'supervisorctl {operation} "{filled(args[operation], names)}"'


def _file_link(args: Mapping[str, Any], names: Mapping[str, object]) -> str:
    link = filled(args["link"], names)
    to = "<the version before the failure began>" if args["to"] == "previous" else filled(args["to"], names)
    return f'ln -sfn "{to}" "{link}.new" && mv -T "{link}.new" "{link}"'


def _command(args: Mapping[str, Any], names: Mapping[str, object]) -> str:
    return " ".join(filled(word, names) for word in args["argv"])
