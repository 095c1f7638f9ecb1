"""What a command needs of the configuration, got even from one that is broken or lacks its secrets here.

A person at 3 am has neither the daemon's environment nor time for its typing errors: reading the store asks only for
its address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.problems import ConfigError
from config.regular import read_regular
from config.yamlfile import MAX_BYTES, parse_yaml
from daemon.cli.files import version
from daemon.desk.known import Known, known_of

ABSENT = "0" * 64
"""Stands in for a secret that is not there; long enough to pass for any, digests included."""


@dataclass(frozen=True, slots=True)
class Setup:
    """`state`: address of the store. `listen`: `HOST:PORT` of the daemon's own HTTP. `warnings`: why this is not all."""

    state: str
    listen: str | None
    kill_switch: Path | None
    known: Known
    warnings: tuple[str, ...] = ()


class Lenient(Mapping[str, str]):
    """The environment, with a stand-in for every secret that is missing: nothing read with it is ever sent."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def __getitem__(self, name: str) -> str:
        return self._environment.get(name) or ABSENT

    def __iter__(self) -> Iterator[str]:
        return iter(self._environment)

    def __len__(self) -> int:
        return len(self._environment)


def setup_of(files: Sequence[Path], environment: Mapping[str, str]) -> Setup:
    """Raises `ConfigError` when not even the store's address can be made out."""
    from daemon.settings.load import load

    try:
        loaded = load(files, environment=Lenient(environment))
    except ConfigError as error:
        return _bare(files, error, environment)
    settings = loaded.model
    return Setup(
        state=settings.state,
        listen=settings.listen,
        kill_switch=settings.kill_switch,
        known=known_of(loaded, version()),
    )


def _bare(files: Sequence[Path], error: ConfigError, environment: Mapping[str, str]) -> Setup:
    """Only the plain values at the top of the files, later ones winning."""
    found: dict[str, Any] = {}
    for file in files:
        try:
            text = read_regular(file, MAX_BYTES).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            continue
        tree, _ = parse_yaml(text, str(file))
        plain = tree.plain() if tree else None
        if isinstance(plain, dict):
            found |= {key: value for key, value in plain.items() if isinstance(value, str)}
            state = plain.get("state")
            if isinstance(state, dict) and (value := environment.get(str(state.get("env")))):
                found["state"] = value
    if "state" not in found:
        raise error
    kill_switch = found.get("kill_switch")
    return Setup(
        state=found["state"],
        listen=found.get("listen"),
        kill_switch=Path(kill_switch) if kill_switch else None,
        known=Known(version()),
        warnings=(f"the configuration has {len(error.errors)} errors; fleetmend check shows them",),
    )
