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


class Spread(Model):
    """Lengths in seconds over `count` incidents. `p95_s`: the smallest that at least 95 % do not exceed."""

    count: int
    median_s: float
    p95_s: float


class Response(Model):
    """How fast one failure mode was met; null where it was never measured.

    `detect`: first breach to detection. `act`: detection to the first action. `recover`: first breach to recovery, or to
    the end where no rung was verified. `acknowledge`: first page accepted to acknowledgement.
    """

    failure_mode: str
    incidents: int
    detect: Spread | None
    act: Spread | None
    recover: Spread | None
    acknowledge: Spread | None


class Called(Model):
    """How often one person was paged. `messages`: what the pages came in, as several may go as one.

    `outside`: pages outside of `working_hours` by the person's clock, null where they are not known. `weeks`: ISO week by that clock to pages.
    """

    person: str
    pages: int
    messages: int
    per_week: float
    outside: int | None
    weeks: dict[str, int]


class Noise(Model):
    """What one detector brought. `by_itself`: incidents that went away with nobody called and no rung at it."""

    detector: str
    incidents: int
    pages: int
    by_itself: int


class OnCall(Model):
    """What being on call came to. `mended_by`: playbook and rung to incidents.

    `after_people`: incidents that no rung ended, after people had been called. `escalations`: level above L1 to incidents
    that reached it. `merged`: pages that went in a message with others. `deferred`: pages that had to wait their turn.
    """

    response: list[Response]
    people: list[Called]
    noisiest: list[Noise]
    mended_by: dict[str, int]
    after_people: int
    escalations: dict[str, int]
    merged: int
    deferred: int


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
    oncall: OnCall = OnCall(
        response=[],
        people=[],
        noisiest=[],
        mended_by={},
        after_people=0,
        escalations={},
        merged=0,
        deferred=0,
    )
    earned: list[Earned]
    helped: list[Helped]
