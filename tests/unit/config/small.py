"""A small root model, and files written on the spot, to try the loader on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from config.loader import Check, Loaded, load
from config.problems import ConfigError
from config.secrets import Secret
from config.section import FailureMode, Section
from config.templates import ExpressionText
from config.units import Duration, Threshold


class Condition(Section):
    above: Threshold | None = None
    equals: Threshold | None = None
    for_: Annotated[Duration, Field(alias="for")] = 0.0


class Detector(Section):
    failure_mode: FailureMode
    fire: Condition
    signal: dict[str, Any] = Field(default_factory=dict)
    expected: dict[str, Any] | None = None
    count: int | list[int] = 1


class Rung(Section):
    name: str
    do: dict[str, Any] = Field(default_factory=dict)
    when: ExpressionText | None = None
    autonomy: Literal["observe", "propose", "auto"] = "propose"


class Playbook(Section):
    ladder: tuple[Rung, ...]
    detector: str = ""


class Root(Section):
    version: Literal[1]
    pack: Literal["fleet", "none"] = "fleet"
    detectors: dict[str, Detector] = Field(default_factory=dict)
    playbooks: dict[str, Playbook] = Field(default_factory=dict)
    token: Secret | None = None
    escalation: dict[str, list[str]] = Field(default_factory=dict)
    vars: dict[str, Any] = Field(default_factory=dict)


def write(folder: Path, **texts: str) -> list[Path]:
    """One file a keyword, in order."""
    files = []
    for name, text in texts.items():
        path = folder / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        files.append(path)
    return files


def load_small(
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    check: Check[Root] | None = None,
    **texts: str,
) -> Loaded[Root]:
    return load(write(folder, **texts), Root, environment=environment or {}, pack=False, check=check)


def lines_of(error: ConfigError) -> list[str]:
    """The problems without the folder."""
    return [
        str(problem).rpartition("/")[2] if "/" in problem.file else str(problem) for problem in error.problems
    ]
