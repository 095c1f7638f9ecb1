"""The commands that only ask: status, incidents, incident, explain, report, postmortem, debts, oncall."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from config.problems import Wrong
from config.units import parse_duration
from daemon.cli import output
from daemon.cli.instants import LAST
from daemon.cli.reach import Reach, with_reach
from daemon.clock import SystemClock, parse_rfc3339
from daemon.errors import ANSWER_IS_NO, UsageError

if TYPE_CHECKING:  # heavy: the store and the models are imported by the command that needs them
    from daemon.cli.questions import Question
    from daemon.desk.models import Model
    from daemon.document.paper import Paper

M = TypeVar("M", bound="Model")
DAY = 86_400.0

IncidentId = Annotated[str, typer.Argument(metavar="ID", help="An incident, such as sf-4k7q2m.")]
Instant = Annotated[str | None, typer.Option(help="A time such as 2026-01-05T09:00:00Z.")]
Format = Annotated[str, typer.Option("--format", help="md | html | json.")]
JSON, TEXT = "json", "text"
"""Formats beside those of documents: data, and tables for a terminal."""


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for function in (status, incidents, incident, explain, report, postmortem, debts, oncall):
        app.command()(with_reach(function))


def answer(reach: Reach, question: Question[M], render: Callable[[M], Iterable[Any]]) -> M:
    """Ask and print, as tables or JSON; what has to be known about the answer goes to stderr."""
    from daemon.cli.faces import face_of

    face = face_of(reach)
    model = face.ask(question)
    if face.note:
        output.say(face.note)
    if reach.json:
        output.json_of(model)
    else:
        output.show(*render(model))
    return model


def status(reach: Reach) -> None:
    """What is, in one look. Exit 1 while an incident is open."""
    from daemon.cli import questions, show

    model = answer(reach, questions.status(), show.status)
    if model.incidents.open:
        raise typer.Exit(ANSWER_IS_NO)


def incidents(
    reach: Reach,
    *,
    open_: Annotated[bool, typer.Option("--open", help="Only those that are not over, worst first.")] = False,
    mode: Annotated[list[str] | None, typer.Option(help="Only these failure modes; may repeat.")] = None,
    since: Instant = None,
    until: Instant = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
) -> None:
    """Incidents, newest first."""
    from daemon.cli import questions, show
    from daemon.desk.queries import Wanted

    wanted = Wanted(
        only_open=open_,
        modes=tuple(mode or ()),
        since=instant("--since", since),
        until=instant("--until", until),
        limit=limit,
    )
    answer(reach, questions.incidents(wanted), show.incidents)


def incident(reach: Reach, incident_id: IncidentId) -> None:
    """One incident: what is, what was done and refused, what happens next, the timeline."""
    from daemon.cli import questions, show

    answer(reach, questions.incident(incident_id), show.incident)


def explain(
    reach: Reach,
    incident_id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    *,
    at: Instant = None,
    target: Annotated[str | None, typer.Option(help="A unit, address, scope or a value of one.")] = None,
) -> None:
    """Why it was or was not acted upon: all guardrails with their answers."""
    from daemon.cli import questions, show

    moment = instant("--at", at)
    if incident_id and target is None:
        answer(reach, questions.explain(incident_id, moment), show.explanation)
    elif target and moment is not None and incident_id is None:
        answer(reach, questions.explain_target(target, moment), show.explanation)
    else:
        raise UsageError("explain takes an incident's ID, or --at TIME with --target NAME")


def report(
    reach: Reach,
    *,
    since: Instant = None,
    until: Instant = None,
    days: Annotated[float, typer.Option(min=0.01, max=400, help="Without --since: so many days back.")] = 7.0,
    form: Annotated[str, typer.Option("--format", help="text | md | html | json.")] = TEXT,
) -> None:
    """What was done, refused and told, what being on call came to, and what observe mode would have done."""
    from daemon.cli import questions, show
    from daemon.desk import report_paper

    end = instant("--until", until) or SystemClock().now()
    start = instant("--since", since) or end - days * DAY
    if start >= end:
        raise UsageError("--since: not before --until")
    if form == TEXT:
        answer(reach, questions.report(start, end), show.report)
    else:
        write(reach, questions.report(start, end), form, report_paper.of_report)


def postmortem(reach: Reach, incident_id: IncidentId, *, form: Format = "md") -> None:
    """The draft of the document about an incident."""
    from daemon.cli import questions
    from daemon.desk import papers

    write(reach, questions.postmortem(incident_id), form, papers.of_postmortem)


def debts(reach: Reach) -> None:
    """What has to be given back, the soonest due first."""
    from daemon.cli import questions, show

    answer(reach, questions.debts(), show.debts)


def oncall(
    reach: Reach,
    when: Annotated[str, typer.Argument(metavar="[now]", help="Said or left out, it is now.")] = "now",
    ahead: Annotated[
        str | None, typer.Option("--next", help="List all turns for so long, for example 90d.")
    ] = None,
    ical: Annotated[bool, typer.Option("--ical", help="As a calendar, 90 days unless --next says.")] = False,
    schedule: Annotated[str, typer.Option(help="With --ical: only this schedule.")] = "",
    person: Annotated[str, typer.Option(help="With --ical: only this person, by id or name.")] = "",
) -> None:
    """Who is on call now, until when, and who follows."""
    from daemon.cli import questions, show

    if when != "now":
        raise UsageError(f"oncall tells of now, not of {when!r}; --next 90d lists what follows")
    if (schedule or person) and not ical:
        raise UsageError("--schedule and --person choose what --ical writes")
    seconds = None if ahead is None else length("--next", ahead)
    if ical:
        _calendar(reach, seconds, schedule, person)
        return
    answer(reach, questions.oncall(seconds or 0.0), show.oncall)


def _calendar(reach: Reach, ahead: float | None, schedule: str, person: str) -> None:
    from daemon.cli import questions
    from daemon.cli.faces import face_of
    from daemon.desk import feed

    face = face_of(reach)
    model = face.ask(questions.oncall(ahead or feed.AHEAD))
    if face.note:
        output.say(face.note)
    if schedule and schedule not in {duty.schedule for duty in model.oncall}:
        raise UsageError(f"there is no schedule {schedule!r}")
    content = feed.calendar_of(model, SystemClock().now(), schedule=schedule, person=person)
    output.crlf(content.decode())


def write(reach: Reach, question: Question[M], form: str, lay_out: Callable[[M], Paper]) -> None:
    """Ask, and print the answer as a document. Raises `UsageError`."""
    from daemon.cli.faces import face_of
    from daemon.desk.papers import FORMATS

    if form not in {*FORMATS, JSON}:
        raise UsageError(f"--format: expected one of {', '.join([*FORMATS, JSON])}, got {form!r}")
    face = face_of(reach)
    model = face.ask(question)
    if face.note:
        output.say(face.note)
    if reach.json or form == JSON:
        output.json_of(model)
    else:
        output.line(FORMATS[form](lay_out(model)))


def length(option: str, text: str) -> float:
    """Seconds of an option. Raises `UsageError`."""
    try:
        return parse_duration(text)
    except Wrong as why:
        raise UsageError(f"{option}: {why}") from None


def instant(option: str, text: str | None) -> float | None:
    """Unix seconds of an option. Raises `UsageError`."""
    if text is None:
        return None
    try:
        at = parse_rfc3339(text)
    except ValueError:
        raise UsageError(f"{option}: expected a time such as 2026-01-05T09:00:00Z, got {text!r}") from None
    if not 0 <= at <= LAST:
        raise UsageError(f"{option}: {text} is no instant between 1970 and 9999")
    return at
