"""The JSON that people's scripts rely on: `--json` of every read command, and the bodies of `/api/v1`.

Field names and their order are the contract. Instants are unix seconds (UTC) in Python and RFC 3339 text in JSON,
and a model reads its own JSON back, so a remote daemon's answer becomes the same value as a local query's.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from daemon.desk.instants import Instant


class Model(BaseModel):
    """Read-only, and strict about its own fields; `json_text` is what a face prints."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def json_text(self, *, indent: int | None = None) -> str:
        """One JSON document, fields in the contract's order."""
        return self.model_dump_json(indent=indent)


class Impact(Model):
    """`scopes` of `of` known ones are affected, and the sentence that says so."""

    scopes: int
    of: int
    text: str


class Finding(Model):
    detector: str
    value: float | None
    threshold: str
    since: Instant
    state: str


class Run(Model):
    """`rung`: name of the rung considered or under way, null before the first; `next_at`: when it is looked at again."""

    state: str
    rung: str | None
    next_at: Instant | None


class Attempt(Model):
    rung: str
    kind: str
    action: str
    started_at: Instant | None
    ended_at: Instant | None
    outcome: str | None
    verdict: str | None
    output: str


class Refusal(Model):
    """A guardrail's no. `until`: when it lifts by itself, null when it does not."""

    rung: str
    gate: str
    reason: str
    until: Instant | None
    at: Instant


class Escalation(Model):
    level: int
    acked_by: str | None
    next_at: Instant | None


class IncidentPage(Model):
    level: int
    person: str
    channel: str
    event: str
    state: str
    at: Instant
    receipt: str
    """`queued accepted undelivered delivered seen acked`; empty for what was never taken."""
    receipts: dict[str, Instant]
    """When each of them was heard, `accepted` and later."""


class IncidentDebt(Model):
    id: str
    kind: str
    due_at: Instant | None
    state: str


class Incident(Model):
    """One incident with everything that was done, refused and said about it."""

    id: str
    failure_mode: str
    scope: dict[str, str]
    severity: str
    state: str
    flags: list[str]
    sentence: str
    detected_at: Instant
    recovered_at: Instant | None
    resolved_at: Instant | None
    resolved_by: str | None
    impact: Impact
    findings: list[Finding]
    run: Run | None
    attempts: list[Attempt]
    refusals: list[Refusal]
    escalation: Escalation
    pages: list[IncidentPage]
    debts: list[IncidentDebt]


class Moment(Model):
    """One row of the timeline."""

    at: Instant
    kind: str
    text: str
    data: dict[str, Any]


class IncidentWithTimeline(Incident):
    timeline: list[Moment]


class Incidents(Model):
    incidents: list[Incident]


class GateAnswer(Model):
    name: str
    allowed: bool
    reason: str
    until: Instant | None
    inputs: dict[str, Any]


class Explanation(Model):
    """Why a rung was or was not carried out: all guardrails, in their order."""

    at: Instant
    rung: str
    allowed: bool
    gates: list[GateAnswer]


class SourceStatus(Model):
    """`state`: ok | late | down | unknown. `age_s`: seconds since its newest sample."""

    name: str
    state: str
    age_s: float | None


class DetectorCounts(Model):
    total: int
    firing: int
    blind: int


class IncidentCounts(Model):
    """`worst`: severity of the worst open incident, null when there is none."""

    open: int
    worst: str | None


class LastCycle(Model):
    at: Instant | None
    ms: float | None


class ChannelCounts(Model):
    """Channels that were ever tested. `proved_at`: when the newest test arrived."""

    tested: int
    failing: int
    proved_at: Instant | None


class Status(Model):
    """`paused`: a sentence per reason. `leader`: null while no daemon runs on this store."""

    version: str
    autonomy: str
    paused: list[str]
    leader: str | None
    sources: list[SourceStatus]
    detectors: DetectorCounts
    incidents: IncidentCounts
    last_cycle: LastCycle
    channels: ChannelCounts = ChannelCounts(tested=0, failing=0, proved_at=None)


class DebtStep(Model):
    """One step of giving back. `when`: its pre-check; `confirm`: what has to show before it counts as paid.

    `after_s`: seconds after the step before; null for the one that is next.
    """

    action: str
    when: str | None
    confirm: str | None
    after_s: float | None
    autonomy: str


class Debt(Model):
    """`steps`: what is still to be done, in order; empty when nothing gives it back by itself."""

    id: str
    kind: str
    due_at: Instant | None
    state: str
    incident: str
    playbook: str
    rung: str
    scope: dict[str, str]
    opened_at: Instant
    autonomy: str
    note: str
    steps: list[DebtStep]


class Debts(Model):
    debts: list[Debt]


class Page(Model):
    """One owed row: a message to one person through one channel."""

    key: str
    incident: str
    level: int
    person: str
    channel: str
    event: str
    state: str
    at: Instant
    due_at: Instant
    tries: int
    error: str
    receipt: str
    receipts: dict[str, Instant]
    provider_id: str


class Proved(Model):
    """What the newest test page of a channel came to. `proved_at`: when the last one arrived; null: none known did."""

    person: str
    channel: str
    state: str
    proved_at: Instant | None
    error: str


class Pages(Model):
    pages: list[Page]
    proved: list[Proved] = []


class PagesTested(Model):
    """What became of test pages; `order`: the number of the order that asked for them."""

    order: int | None
    pages: list[Page]


class DetectorScope(Model):
    """`state`: ok | pending | firing | clearing | no_data | unknown."""

    scope: dict[str, str]
    state: str
    value: float | None
    since: Instant | None


class Detector(Model):
    """`query`: the signal in PromQL, null for a probe; `link`: that query in its Prometheus, null for other sources."""

    name: str
    failure_mode: str
    severity: str
    source: str | None
    signal: str
    fire: str
    clear: str
    query: str | None
    link: str | None
    scopes: list[DetectorScope]


class Detectors(Model):
    detectors: list[Detector]


class Config(Model):
    """What is loaded. `data` holds secrets as references only. `refused`: why the last reload was refused."""

    files: list[str]
    loaded_at: Instant | None
    digest: str
    refused: list[str]
    data: dict[str, Any]


class Duty(Model):
    """Who has a schedule now, until when, and who follows. `calendar_read_at`: of one that is kept in a calendar."""

    schedule: str
    timezone: str
    now: list[str]
    until: Instant | None
    next: list[str]
    calendar_read_at: Instant | None = None


class Turn(Model):
    """Who has a schedule from `start` up to `end`, by name and by id; nobody: an empty list."""

    schedule: str
    start: Instant
    end: Instant
    who: list[str]
    people: list[str] = []


class Oncall(Model):
    """`turns`: everything that follows, where a time ahead was asked for; in time order."""

    oncall: list[Duty]
    turns: list[Turn] = []


class Mute(Model):
    """A pause, maintenance or silence; `ends_at` null: until lifted."""

    id: str
    kind: str
    owner: str
    reason: str
    starts_at: Instant
    ends_at: Instant | None
    matchers: dict[str, str]


class Mutes(Model):
    mutes: list[Mute]


class OrderTaken(Model):
    """Answer 202 to an order: it is recorded, and the loop carries it out within a second."""

    order: int


class Problem(Model):
    """An error as RFC 9457 has it (`application/problem+json`)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
