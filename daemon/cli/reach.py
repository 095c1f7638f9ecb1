"""How a command reaches what it asks: a remote daemon by `--url`, or the local store by `--config`."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.errors import UsageError

DEFAULT_CONFIG = Path("/etc/fleetmend/fleetmend.yaml")


@dataclass(frozen=True, slots=True)
class Reach:
    """What the common options said. `json`: print JSON, and nothing else, on stdout."""

    config: tuple[Path, ...] = ()
    url: str | None = None
    token: str | None = field(default=None, repr=False)
    json: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def files(self) -> tuple[Path, ...]:
        """The configuration files, `/etc/fleetmend/fleetmend.yaml` when none was named. Raises `UsageError`."""
        if self.config:
            return self.config
        if DEFAULT_CONFIG.is_file():
            return (DEFAULT_CONFIG,)
        raise UsageError("say where: --config FILE for this machine's daemon, or --url URL for a remote one")


_OPTIONS: tuple[tuple[str, Any, Any], ...] = (
    (
        "config",
        Annotated[
            list[Path] | None,
            typer.Option(
                "--config",
                "-c",
                envvar="FLEETMEND_CONFIG",
                help="Configuration of the local daemon; may repeat.",
            ),
        ],
        None,
    ),
    (
        "url",
        Annotated[str | None, typer.Option(envvar="FLEETMEND_URL", help="A remote daemon's address.")],
        None,
    ),
    (
        "token",
        Annotated[
            str | None,
            typer.Option(envvar="FLEETMEND_TOKEN", show_envvar=True, help="Token for the remote daemon."),
        ],
        None,
    ),
    ("json", Annotated[bool, typer.Option("--json", help="Print JSON.")], False),
)


def with_reach(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the common options; it receives them as its first argument, a `Reach`."""
    signature = inspect.signature(function, eval_str=True)
    own = list(signature.parameters.values())[1:]

    @functools.wraps(function)
    def command(**arguments: Any) -> None:
        config, url, token, json = (arguments.pop(name) for name, _, _ in _OPTIONS)
        # An explicit --config means this machine, whatever the environment says about a remote one.
        reach = Reach(tuple(config or ()), url or None, token or None, bool(json), dict(os.environ))
        function(reach, **arguments)

    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, annotation, default in _OPTIONS
    ]
    ordered = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + common
    command.__signature__ = signature.replace(parameters=ordered)  # type: ignore[attr-defined]  # read by typer
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    return command
