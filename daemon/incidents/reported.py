"""Reported: what an alert from outside stands for, once the map has read it."""

from __future__ import annotations

from dataclasses import dataclass

from config.scope import Scope


@dataclass(frozen=True, slots=True)
class Reported:
    """A firing alert that stands for a failure mode at a scope. `verify_with`: a detector to ask.

    `since`: unix seconds. `text`: its summary, as the sender wrote it. `lapsed`: the end that its sender gave has come
    and nobody repeated it since. It vouches for nothing then, neither for the fault nor for health.
    """

    fingerprint: str
    failure_mode: str
    scope: Scope
    severity: str
    since: float
    verify_with: str | None
    text: str
    lapsed: bool = False
