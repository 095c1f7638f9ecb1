"""Queries: from the store, what is configured, and a live snapshot if there is one, to JSON models.

Each takes the unit of work of one read transaction and `now`; none waits, writes or decides. Without a snapshot (the
daemon is dead, or the reader is the command line) what only the loop knows is left out, and what the store knows is
given all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from config.scope import scope_key
from daemon.desk import models, papers, reports, views
from daemon.desk.healing import helped
from daemon.desk.known import Known
from daemon.desk.postmortems import Postmortem
from daemon.desk.records import suggestions
from daemon.desk.snapshot import Snapshot
from daemon.document.dossier import Dossier, load
from daemon.document.report import report as report_on
from daemon.document.sentence import sentence
from daemon.errors import NotFound
from daemon.incidents.model import SEVERITIES, STORM, Incident
from daemon.incidents.records import DeliveryState, MuteKind
from daemon.store.incidents import Cursor
from daemon.store.unit import UnitOfWork

NEAR = 86_400.0
"""Seconds before an instant within which an incident may have concerned a target then."""
DAEMON = "-"
MOST_TESTS = 500
MOST_REPORTED = 5000
"""Incidents a report looks at; the newest ones of its span."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents: empty filters match all; instants bound `detected_at` (from, to)."""

    only_open: bool = False
    modes: Collection[str] = ()
    since: float | None = None
    until: float | None = None
    after: Cursor | None = None
    limit: int = 50


def dossier(uow: UnitOfWork, incident_id: str) -> Dossier:
    """Everything recorded about one incident. Raises `NotFound`."""
    found = load(uow, incident_id)
    if found is None:
        raise NotFound(f"there is no incident {incident_id!r}")
    return found


def incident(uow: UnitOfWork, known: Known, incident_id: str, now: float) -> models.IncidentWithTimeline:
    """One incident with its timeline. Raises `NotFound`."""
    found = dossier(uow, incident_id)
    return views.with_timeline(views.incident(found, sentence(found, now), known.ladders), found.events)


def incidents(uow: UnitOfWork, known: Known, wanted: Wanted, now: float) -> models.Incidents:
    """Worst first among the open ones, newest first else."""
    return models.Incidents(
        incidents=[
            views.incident(found, sentence(found, now), known.ladders)
            for row in listed(uow, wanted)
            if (found := load(uow, row.id)) is not None
        ]
    )


def listed(uow: UnitOfWork, wanted: Wanted) -> tuple[Incident, ...]:
    """The rows behind `incidents`."""
    if wanted.only_open:
        rows = [
            row
            for row in uow.incidents.open()
            if (not wanted.modes or row.failure_mode in wanted.modes)
            and (wanted.since is None or row.detected_at >= wanted.since)
            and (wanted.until is None or row.detected_at < wanted.until)
        ]
        return tuple(sorted(rows, key=_worst_first)[: wanted.limit])
    return uow.incidents.search(
        modes=wanted.modes, since=wanted.since, until=wanted.until, after=wanted.after, limit=wanted.limit
    ).incidents


def status(
    uow: UnitOfWork,
    known: Known,
    live: Snapshot | None,
    now: float,
    *,
    paused: Sequence[str] = (),
    leader: str | None = None,
) -> models.Status:
    """The whole in one look. `paused`: reasons that only the caller knows of, such as a kill-switch file.

    `leader`: who runs, where it could not be asked.

    What holds by rows is read from them; the loop tells only of what no row knows.
    """
    rows = uow.incidents.open()
    worst = min((row.severity for row in rows), key=SEVERITIES.index, default=None)
    counts = models.IncidentCounts(open=len(rows), worst=worst)
    known_reasons = (*paused, *(live.paused if live else ()), *_mutings(uow, now), *_storms(rows))
    reasons = [*dict.fromkeys(known_reasons)]
    if live is None:
        return models.Status(
            version=known.version,
            autonomy=known.autonomy,
            paused=reasons,
            leader=leader,
            sources=[models.SourceStatus(name=name, state="unknown", age_s=None) for name in known.sources],
            detectors=_stored_counts(known, rows),
            incidents=counts,
            last_cycle=models.LastCycle(at=None, ms=None),
            channels=_channels(uow),
        )
    return models.Status(
        version=live.version,
        autonomy=live.autonomy,
        paused=reasons,
        leader=live.leader,
        sources=[
            models.SourceStatus(
                name=source.name,
                state=source.state,
                age_s=None if source.newest_at is None else round(max(0.0, now - source.newest_at), 3),
            )
            for source in live.sources
        ],
        detectors=models.DetectorCounts(total=live.detectors_total, firing=live.firing, blind=live.blind),
        incidents=counts,
        last_cycle=models.LastCycle(
            at=live.last_cycle_at, ms=None if live.last_cycle_ms is None else round(live.last_cycle_ms, 3)
        ),
        channels=_channels(uow),
    )


def explain(uow: UnitOfWork, incident_id: str, at: float | None = None) -> models.Explanation:
    """The last decision about an incident, or the last one up to `at`. Raises `NotFound`."""
    answers = views.explanations(dossier(uow, incident_id))
    if at is not None:
        answers = [answer for answer in answers if answer.at <= at]
    if not answers:
        raise NotFound(f"no guardrail was asked about {incident_id} yet: see its timeline")
    return answers[-1]


def explain_target(uow: UnitOfWork, target: str, at: float) -> models.Explanation:
    """The last decision up to `at` that concerned a target: a unit, an address, a scope or one of its values.

    Raises `NotFound`.
    """
    near = uow.incidents.search(since=at - NEAR, until=at + 0.001, limit=200).incidents
    rows = {row.id: row for row in (*near, *uow.incidents.open())}
    answers = [
        answer
        for row in rows.values()
        for answer in views.explanations(Dossier(row, events=uow.timeline.of(row.id)))
        if answer.at <= at and concerns(row, answer, target)
    ]
    if not answers:
        raise NotFound(f"nothing was decided about {target!r} up to then")
    answers.reverse()  # of those of one instant the last one written counts
    return max(answers, key=lambda answer: answer.at)


def concerns(row: Incident, answer: models.Explanation, target: str) -> bool:
    """Whether a decision was about a target."""
    names = {row.id, scope_key(row.scope), *(value for _, value in row.scope)}
    for gate in answer.gates:
        if gate.name == "target_set":
            names.update(str(name) for name in gate.inputs.get("targets", ()))
    return target in names


def postmortem(uow: UnitOfWork, incident_id: str) -> Postmortem:
    """The draft of the document about one incident. Raises `NotFound`."""
    return papers.postmortem(uow, dossier(uow, incident_id))


def report(uow: UnitOfWork, known: Known, since: float, until: float) -> reports.Report:
    """What was done, refused and told about the incidents detected from `since` to `until`, and what records say then."""
    rows: list[Incident] = []
    after: Cursor | None = None
    while len(rows) < MOST_REPORTED:
        page = uow.incidents.search(since=since, until=until, after=after, limit=200)
        rows += page.incidents
        after = page.next
        if after is None:
            break
    dossiers = [found for row in rows if (found := load(uow, row.id)) is not None]
    zones = {name: person.timezone for name, person in known.people.items()}
    made = report_on(dossiers, since, until, zones, known.working_hours)
    own = reports.Report.model_fields.keys() - {"would_have", "earned", "helped", "oncall"}
    fields = {name: getattr(made, name) for name in own}
    would = [
        reports.WouldHave(incident=row.incident, at=row.at, rung=row.rung, gate=row.gate)
        for row in made.would_have
    ]
    by_record, mended = [*suggestions(uow, known, until)], [*helped(uow, known, until)]
    duty = reports.OnCall.model_validate(asdict(made.oncall))
    return reports.Report(**fields, would_have=would, oncall=duty, earned=by_record, helped=mended)


def debts(uow: UnitOfWork) -> models.Debts:
    """What has to be given back, the soonest due first."""
    rows = sorted(uow.debts.unpaid(), key=lambda row: (row.due_at is None, row.due_at or 0.0, row.id))
    return models.Debts(debts=[views.debt(row) for row in rows])


def pages(uow: UnitOfWork, *, limit: int = 100) -> models.Pages:
    """The newest messages to people, newest first."""
    return models.Pages(
        pages=[views.page(row) for row in uow.deliveries.recent(limit=limit)], proved=proved(uow)
    )


def proved(uow: UnitOfWork) -> list[models.Proved]:
    """Every channel that was tested, in order of its address, and what came of its newest test."""
    found: dict[tuple[str, str], models.Proved] = {}
    for row in reversed(uow.deliveries.tests(limit=MOST_TESTS)):
        before = found.get((row.address, row.channel))
        arrived = row.sent_at if row.state is DeliveryState.ACCEPTED else None
        found[row.address, row.channel] = models.Proved(
            person=row.person,
            channel=row.channel,
            state=row.state,
            proved_at=arrived or (before.proved_at if before else None),
            error=row.error,
        )
    return [found[place] for place in sorted(found)]


def _channels(uow: UnitOfWork) -> models.ChannelCounts:
    tested = proved(uow)
    times = [row.proved_at for row in tested if row.proved_at is not None]
    failing = sum(row.state == DeliveryState.FAILED for row in tested)
    return models.ChannelCounts(tested=len(tested), failing=failing, proved_at=max(times, default=None))


def mutes(uow: UnitOfWork, now: float, kind: MuteKind | None = None) -> models.Mutes:
    """What holds now or will: pauses, maintenance, silences."""
    rows = [row for row in uow.mutes.listed() if row.lifted_at is None and (row.ends_at or now + 1) > now]
    return models.Mutes(mutes=[views.mute(row) for row in rows if kind in (None, row.kind)])


def daemon_timeline(uow: UnitOfWork, *, limit: int = 200) -> list[models.Moment]:
    """What happened to the daemon itself, oldest first."""
    return [views.moment(event) for event in uow.timeline.of(DAEMON, limit=limit)]


def _worst_first(row: Incident) -> tuple[int, float, str]:
    return SEVERITIES.index(row.severity), row.detected_at, row.id


def _mutings(uow: UnitOfWork, now: float) -> list[str]:
    """Pauses, maintenance and silences that hold: each stops actions, all or those of a scope."""
    found = []
    for row in uow.mutes.active(now):
        what = ", ".join(f"{label}={value}" for label, value in sorted(row.matchers.items())) or "everything"
        found.append(f"{row.kind} of {what} by {row.owner}: {row.reason or 'no reason given'}")
    return found


def _storms(rows: Collection[Incident]) -> list[str]:
    """A storm stops all but storm-safe rungs: a reason like the others."""
    return [
        f"storm {row.id}: only storm-safe rungs are begun, and its page stands for all"
        for row in rows
        if row.failure_mode == STORM
    ]


def _stored_counts(known: Known, rows: Collection[Incident]) -> models.DetectorCounts:
    findings = [finding for row in rows for finding in row.findings]
    return models.DetectorCounts(
        total=len(known.detectors),
        firing=len({finding.detector for finding in findings if finding.state in {"firing", "clearing"}}),
        blind=len({finding.detector for finding in findings if finding.blind}),
    )
