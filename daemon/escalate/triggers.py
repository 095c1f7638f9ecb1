"""Triggers: what the escalation clock is told. A closed set; `policy.respond` handles each of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageOwed:
    """A person has to look. `reason` is a sentence ("Ladder exhausted: nothing left to try.").

    A second reason for an incident whose people were paged already is told them as a status note; `again` asks for
    a new page all the same: relapse, a fault that outlived a person's `resolve`, giving up once more after `resume`.
    """

    reason: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class HeadsUp:
    """Non-paging: the first action of a critical incident starts (`rung`), or a rung contained (`contained`).

    `demoted`: a rung asks first from now on, and why. `asks`: its return waits for a person's word, and how to give it.
    """

    rung: str
    contained: bool = False
    demoted: str = ""
    asks: str = ""


@dataclass(frozen=True, slots=True)
class Blind:
    """The fault cannot be observed any more. Its page is quieted by nothing and takes no wheel."""

    reason: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """A rung's verification passed: the clock stops, nothing is over yet."""

    by: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Resolved or closed. `text` says how, in a sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Acked:
    by: str
    via: str = "cli"


@dataclass(frozen=True, slots=True)
class Extended:
    """Move the next level's time by `seconds`; a reason is required."""

    by: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Escalated:
    """A person asks for the next level now."""

    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A person gives the incident to another: `to` is the id of somebody who can be told."""

    by: str
    to: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SeverityRaised:
    """The incident's severity is now `now`; lower ones change nothing."""

    now: str


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """A delivery was refused for good, ran out of time, or keeps failing: try the next channel."""

    key: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Look at the clock: a level, a reminder or a held page may be due, or a silence may have been lifted."""


Trigger = (
    PageOwed
    | HeadsUp
    | Blind
    | Recovered
    | Ended
    | Acked
    | Extended
    | Escalated
    | HandedOver
    | SeverityRaised
    | DeliveryFailed
    | Tick
)
