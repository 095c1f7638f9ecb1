"""The report as JSON: a span of time in numbers, what observe mode would have done, and what records suggest."""

from __future__ import annotations

from daemon.desk.instants import Instant
from daemon.desk.models import Model


class WouldHave(Model):
    """A rung that nothing but the leash held back; `gate`: what held it."""

    incident: str
    at: Instant
    rung: str
    gate: str


class Earned(Model):
    """What a rung's record says, where records count (`earned_autonomy`). `at_least`: lower bound of the share that helped.

    `autonomy`: as configured. `suggests`: another level, null when there is none. `demoted`: it asks first by now.
    """

    playbook: str
    rung: str
    autonomy: str
    helped: int
    in_vain: int
    unknown: int
    self_resolved: int
    at_least: float
    suggests: str | None
    demoted: bool


class Helped(Model):
    """A rung held against the same fault left alone (`counterfactual`). Lengths in seconds, `gain` the 95 % bounds of the
    difference of the two shares, null while too little is known.

    `judgement`: effective | coincident | too_little_known. `recovered` of `tried` with it; `healed` of the `left` that had
    lasted `after_s` as well, within the same `within_s`. `alone_s`: median time from detection to healing by itself.
    """

    failure_mode: str
    labels: list[str]
    playbook: str
    rung: str
    judgement: str
    recovered: int
    tried: int
    healed: int
    left: int
    after_s: float
    within_s: float
    gain: list[float] | None
    alone_s: float | None
    text: str


class Report(Model):
    """What was done, refused and told in a span of time, and what observe mode would have done. Lengths in seconds.

    `earned`: rungs whose record suggests another autonomy than they are configured with. `helped`: rungs held against the
    faults that were left alone.
    """

    since: Instant
    until: Instant
    incidents: int
    by_mode: dict[str, int]
    mended: int
    self_resolved: int
    still_open: int
    actions: dict[str, int]
    refused: dict[str, int]
    pages: int
    people_paged: dict[str, int]
    paged_incidents: int
    unattended_s: float
    median_recovery_s: float | None
    would_have: list[WouldHave]
    earned: list[Earned]
    helped: list[Helped]
