"""What a post-mortem records of the response: who, what, with what result, and how long each took.

Every fact cites the rows it comes from; what no row says is unknown, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from daemon.document.dossier import Dossier
from daemon.document.explain import explain
from daemon.document.log import PAGES, Log, Numbered, between, called, marks, receipts
from daemon.document.paper import Fact, Section
from daemon.document.words import length, stamp
from daemon.incidents.events import Kind
from daemon.incidents.model import IncidentState
from daemon.incidents.records import Attempt, Delivery, DeliveryState, Phase

UNKNOWN = "unknown"


def cited(*marked: Numbered | None) -> tuple[int, ...]:
    """The rows of those moments that are known."""
    return tuple(each[0] for each in marked if each is not None)


# ------------------------------------------------------------ resolution and responders


def resolution(dossier: Dossier, log: Log) -> Section:
    """What held the harm back, and what ended it for good."""
    incident = dossier.incident
    contained = [
        Fact("Temporary", f"{event.data.get('rung', UNKNOWN)} contained the harm", (row,))
        for row, event in log.all(Kind.CONTAINED)
    ]
    over = marks(dossier, log).over
    if incident.state is IncidentState.CLOSED:
        lasting = "closed by a person, not verified"
    elif not incident.ended:
        lasting = UNKNOWN
    elif incident.resolved_by in {None, "self"}:
        lasting = (
            "clear again, by hand or by itself; no rung mended it"
            if called(dossier)
            else "it mended itself; no rung did"
        )
    else:
        lasting = f"{incident.resolved_by}, verified on fresh data"
    debts = [
        Fact(
            f"To be given back: {debt.rung}",
            f"{debt.state}, due {stamp(debt.due_at) if debt.due_at is not None else UNKNOWN}",
            tuple(
                row
                for row, event in log.all(Kind.DEBT_OPENED, Kind.DEBT_MOVED)
                if event.data.get("debt") == debt.id
            ),
        )
        for debt in dossier.debts
    ]
    return Section(
        "Resolution",
        facts=(*(contained or [Fact("Temporary", "nothing")]), Fact("Lasting", lasting, cited(over)), *debts),
    )


def responders(dossier: Dossier, log: Log) -> Section:
    """Who was called at which level and what they did, in their order."""
    reached: dict[int, tuple[list[str], list[int]]] = {}
    for page in dossier.deliveries:
        if page.event in PAGES:
            names, rows = reached.setdefault(page.level, ([], []))
            names += [] if page.person in names else [page.person]
            rows += log.about(page.key)[:1]
    facts = [
        Fact(f"L{level}", ", ".join(names), tuple(rows)) for level, (names, rows) in sorted(reached.items())
    ]
    kinds = (
        Kind.ACKED, Kind.EXTENDED, Kind.ESCALATED, Kind.LEVEL_SKIPPED, Kind.RESUMED, Kind.APPROVED, Kind.REJECTED,
        Kind.NOTE, Kind.HUMAN_VERDICT, Kind.CLOSED,
    )  # fmt: skip
    for row, event in log.all(*kinds):
        if event.actor != "fleetmend" or event.kind in {Kind.ESCALATED, Kind.LEVEL_SKIPPED}:
            via = f", by {event.data['via']}" if event.data.get("via") else ""
            facts.append(
                Fact(str(event.kind).replace("_", " "), f"{event.text.removesuffix('.')}{via}", (row,))
            )
    return Section("Responders and levels", "" if facts else "Nobody was called.", tuple(facts))


# ------------------------------------------------------------ times


def times(dossier: Dossier, log: Log) -> Section:
    """The derived times, each with the rows it is derived from."""
    at = marks(dossier, log)
    start = dossier.incident.began_at

    def since(name: str, mark: Numbered | None) -> Fact:
        return Fact(name, length(mark[1].at - start) if mark else UNKNOWN, cited(mark))

    handed = between(at.owed, at.paged)
    return Section(
        "Times, from the first breach",
        facts=(
            since("Time to detect", at.detected),
            since("Time to first action", at.acted),
            since("Time to first page", at.paged),
            since("Time to acknowledge", at.acked),
            since("Time to recover", at.recovered),
            since("Time to resolve", at.over),
            Fact(
                "From page owed to page accepted",
                UNKNOWN if handed is None else length(handed),
                cited(at.owed, at.paged) if handed is not None else (),
            ),
            *_levels(dossier, log),
            _human_minutes(dossier, log),
        ),
    )


def _levels(dossier: Dossier, log: Log) -> Iterable[Fact]:
    """How long each level had it, until the next was called or it was over."""
    first: dict[int, Numbered] = {}
    for page in dossier.deliveries:
        owed = log.first_about({page.key}, Kind.OWED) if page.event in PAGES else None
        if owed is not None:
            first.setdefault(page.level, owed)
    steps: list[tuple[int, Numbered | None]] = [*sorted(first.items()), (0, marks(dossier, log).over)]
    for (level, mark), (_, end) in pairwise(steps):
        spent = between(mark, end)
        yield Fact(f"Time at L{level}", UNKNOWN if spent is None else length(spent), cited(mark, end))


def _human_minutes(dossier: Dossier, log: Log) -> Fact:
    """From each person's acknowledgement until the end: the least that people spent on it."""
    name = "Human minutes, from acknowledgement to end"
    over = marks(dossier, log).over
    first: dict[str, Numbered] = {}
    for row, event in log.all(Kind.ACKED):
        first.setdefault(str(event.data.get("by") or event.actor), (row, event))
    if over is None or not first:
        return Fact(name, UNKNOWN if called(dossier) or over is None else "0, nobody was called", cited(over))
    spent = sum(max(0.0, over[1].at - mark[1].at) for mark in first.values())
    people = f"{len(first)} {'person' if len(first) == 1 else 'people'}"
    return Fact(name, f"{spent / 60:.0f} by {people}", cited(*first.values(), over))


# ------------------------------------------------------------ the robot's part


def remediation(dossier: Dossier, log: Log) -> Section:
    """Each action: what was expected of it, and what was seen."""
    facts = []
    for attempt in dossier.attempts:
        judged = _judged(attempt, log)
        took = (
            length(attempt.ended_at - attempt.started_at)
            if attempt.ended_at is not None and attempt.started_at is not None
            else UNKNOWN
        )
        value = (
            f"{attempt.action} on {', '.join(attempt.targets) or UNKNOWN}: outcome {attempt.outcome or UNKNOWN}, "
            f"took {took}; expected: {_expected(attempt)}; observed: {_observed(attempt, judged)}"
        )
        rows = (*log.about(attempt.key), *cited(judged))
        facts.append(Fact(f"{attempt.rung} ({attempt.phase})", value, tuple(dict.fromkeys(rows))))
    return Section("Remediation", "" if facts else "No action was taken.", tuple(facts))


def _expected(attempt: Attempt) -> str:
    if attempt.phase is Phase.UNDO:
        return "what it did is taken back"
    if attempt.phase is Phase.RETURN:
        return "what was borrowed is given back"
    if not attempt.mends:
        return "it is told, or waited for"
    return "its own effect" if attempt.kind == "contain" else "the incident's clear condition"


def _judged(attempt: Attempt, log: Log) -> Numbered | None:
    """The row of its verdict: the first about its rung once it had ended. Undoing is not judged."""
    if attempt.phase is not Phase.DO or not attempt.mends or attempt.ended_at is None:
        return None
    fits = (
        (row, event)
        for row, event in log.all(Kind.VERDICT)
        if event.data.get("rung") == attempt.rung and event.at >= (attempt.ended_at or 0.0)
    )
    return next(fits, None)


def _observed(attempt: Attempt, judged: Numbered | None) -> str:
    """What was seen of it after, else what it said itself."""
    if attempt.phase is not Phase.DO or not attempt.mends:
        return attempt.effect or UNKNOWN
    verdict = (attempt.verdict or UNKNOWN).replace("_", " ")
    reason = str(judged[1].data.get("reason") or "") if judged else ""
    return f"{verdict} ({reason})" if reason else verdict


def guardrails(dossier: Dossier, log: Log) -> Section:
    """Every answer they gave; what follows each other with the same answer is one line."""
    rows = {
        (event.at, str(event.data.get("rung", ""))): row for row, event in log.all(Kind.GATES, Kind.SKIPPED)
    }
    said: dict[tuple[str, str], list[int]] = {}
    for asked in explain(dossier):
        answer = (
            "allowed"
            if asked.allowed
            else "; ".join(f"{gate.name}: {gate.reason}" for gate in asked.refusals)
        )
        row = rows.get((asked.at, asked.rung.removeprefix("return of ")))
        said.setdefault((asked.rung or UNKNOWN, answer), []).extend([] if row is None else [row])
    facts = tuple(Fact(rung, answer, tuple(cites)) for (rung, answer), cites in said.items())
    return Section("Guardrail decisions", "" if facts else "None was asked.", facts)


# ------------------------------------------------------------ the pages


def paging(dossier: Dossier, log: Log) -> Section:
    """Each page, through what, with what result; then the channels that failed."""
    pages = [row for row in dossier.deliveries if row.event in PAGES]
    facts = [
        Fact(
            f"L{page.level} {page.person} by {page.channel}",
            f"{page.event}, {_went(page)}",
            log.about(page.key),
        )
        for page in pages
    ]
    failed: dict[str, list[int]] = {}
    for page in pages:
        if page.state is DeliveryState.FAILED:
            failed.setdefault(page.channel, []).extend(log.about(page.key)[-1:])
    if failed:
        rows = tuple(row for found in failed.values() for row in found)
        facts.append(Fact("Channels that failed", ", ".join(sorted(failed)), rows))
    return Section("Paging", "" if facts else "Nobody was paged.", tuple(facts))


def _went(page: Delivery) -> str:
    said = [f"{word} at {stamp(at)}" for word, at in receipts(page)]
    tries = [f"{page.tries} tries"] if page.tries > 1 else []
    if page.sent_at is None or page.state is DeliveryState.FAILED:
        said.append(f"{page.state}: {page.error}" if page.error else str(page.state))
    return ", ".join([*said, *tries])


def daemon_faults(log: Log) -> Section:
    """Where the daemon itself was late, stopped, or could not send."""
    facts = tuple(
        Fact(str(event.data.get("what") or event.kind).replace("_", " "), event.text, (row,))
        for row, event in log.all(Kind.DAEMON, Kind.NOT_SENT)
        if event.actor == "fleetmend"  # what people muted or lifted is on the timeline, and no fault
    )
    return Section("Faults of the daemon itself", "" if facts else "None was recorded.", facts)
