"""Kinds of action that other packages bring, by entry points of the group `fleetmend.actions`.

    [project.entry-points."fleetmend.actions"]
    reboot = "acme_fleetmend.reboot:ENTRY"

The name is the kind; the object is an `Entry` of `remediations.actions.registry`. What breaks while it is imported, is no
such object, or bears a name that is taken is left out with a reason, and never keeps the daemon from starting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Generic, TypeVar

GROUP = "fleetmend.actions"
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Refused:
    """A plug-in that is left out. `package`: name and version of the distribution that brings it."""

    kind: str
    package: str
    reason: str
    shadows: bool = False
    """It bears the name of a shipped kind, which is used in its place."""


@dataclass(frozen=True, slots=True)
class Plugins(Generic[E]):
    """What other packages bring, by kind, and what was left out."""

    entries: Mapping[str, E]
    refused: tuple[Refused, ...] = ()

    def reason(self, kind: str) -> Refused | None:
        """Why a kind that a package brings is not there."""
        return next((one for one in self.refused if one.kind == kind and not one.shadows), None)


def plugins(
    shipped: Collection[str],
    checked: Callable[[object], E],
    found: Iterable[metadata.EntryPoint] | None = None,
) -> Plugins[E]:
    """Load what is installed. `checked` gives the object as what is wanted, or raises `TypeError` with a reason."""
    points = sorted(
        metadata.entry_points(group=GROUP) if found is None else found, key=lambda one: (one.name, one.value)
    )
    entries: dict[str, E] = {}
    refused: list[Refused] = []
    for point in points:
        package = _package(point)
        if point.name in shipped:
            text = "its name is that of a shipped kind, which is used"
            refused.append(Refused(point.name, package, text, shadows=True))
        elif sum(other.name == point.name for other in points) > 1:
            refused.append(Refused(point.name, package, "another package brings a kind of the same name"))
        else:
            try:
                entries[point.name] = checked(_loaded(point))
            except Exception as error:  # noqa: BLE001 - whatever a stranger's module raises leaves out that kind alone
                refused.append(Refused(point.name, package, f"{type(error).__name__}: {error}"))
    return Plugins(entries, tuple(refused))


def _loaded(point: metadata.EntryPoint) -> object:
    if not NAME.fullmatch(point.name):
        raise TypeError("the name of a kind is of lower-case letters, digits and _")
    return point.load()


def _package(point: metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown package"
