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
    """What the common options said. `json`: print JSON, and nothing else, on stdout.

    The nearer word wins: an option beats a variable, and of two options or two variables `--config` beats `--url`.
    """

    config: tuple[Path, ...] = ()
    url: str | None = None
    token: str | None = field(default=None, repr=False)
    json: bool = False
    config_named: bool = False
    url_named: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def remote(self) -> bool:
        """Whether a remote daemon is meant."""
        if self.url is None:
            return False
        return not self.config or (self.url_named and not self.config_named)

    def files(self) -> tuple[Path, ...]:
        """The configuration files, `/etc/fleetmend/fleetmend.yaml` when none was named. Raises `UsageError`."""
        if self.config:
            return self.config
        if DEFAULT_CONFIG.is_file():
            return (DEFAULT_CONFIG,)
        raise UsageError("say where: --config FILE for this machine's daemon, or --url URL for a remote one")


def _named(context: typer.Context, option: str) -> bool:
    """Whether an option stood on the command line, rather than in the environment."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


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
    def command(context: typer.Context, **arguments: Any) -> None:
        config, url, token, json = (arguments.pop(name) for name, _, _ in _OPTIONS)
        reach = Reach(
            config=tuple(config or ()),
            url=url or None,
            token=token or None,
            json=bool(json),
            config_named=_named(context, "config"),
            url_named=_named(context, "url"),
            environment=dict(os.environ),
        )
        function(reach, **arguments)

    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, annotation, default in _OPTIONS
    ]
    keyword = inspect.Parameter.KEYWORD_ONLY
    first = inspect.Parameter("context", keyword, annotation=typer.Context)
    ordered = [first, *(parameter.replace(kind=keyword) for parameter in own), *common]
    command.__signature__ = signature.replace(parameters=ordered)  # type: ignore[attr-defined]  # read by typer
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    return command
