"""The commands that order: rows in the inbox, carried out by the loop within a second."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from daemon.cli import output
from daemon.cli.reach import Reach, with_reach
from daemon.cli.reads import IncidentId, answer
from daemon.errors import ANSWER_IS_NO, UsageError

Reason = Annotated[str | None, typer.Option("--reason", "-r", help="Why; people read it later.")]
Length = Annotated[str | None, typer.Option("--for", help="How long, such as 30m or 2h.")]
Scope = Annotated[
    str | None, typer.Option(help="What it is about: provider=navixy,tier=hot; * is everything.")
]
RungName = Annotated[str | None, typer.Option("--rung", help="Only if this rung is the proposed one.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for function in (
        ack,
        extend,
        escalate,
        handoff,
        resolve,
        resume,
        approve,
        reject,
        note,
        verdict,
        unlock,
        pause,
        unpause,
        silence,
        maintenance,
    ):
        app.command()(with_reach(function))


def give(reach: Reach, kind: str, incident: str | None = None, /, **args: Any) -> None:
    """Give an order and print what became of it; exit 1 when the loop refused it."""
    from daemon.cli.faces import face_of
    from daemon.desk.models import OrderTaken

    face = face_of(reach)
    taken = face.order(kind, incident, {key: value for key, value in args.items() if value is not None})
    if face.note:
        output.say(face.note)
    if reach.json:
        output.line("{}" if taken.order is None else OrderTaken(order=taken.order).json_text())
    elif not taken.refused:
        number = "" if taken.order is None else f"order {taken.order}: "
        output.line(f"{number}{taken.answer or 'recorded; the loop carries it out within a second'}")
    if taken.refused:
        output.say(f"refused: {taken.answer}")
        raise typer.Exit(ANSWER_IS_NO)


def ack(reach: Reach, incident_id: IncidentId, *, reason: Reason = None) -> None:
    """Acknowledge: stops reminders; the next level is still told in time."""
    give(reach, "ack", incident_id, reason=reason)


def extend(reach: Reach, incident_id: IncidentId, *, length: Length = None, reason: Reason = None) -> None:
    """Give yourself more time before the next level is told."""
    give(reach, "extend", incident_id, reason=reason, **{"for": length})


def escalate(reach: Reach, incident_id: IncidentId, *, reason: Reason = None) -> None:
    """Tell the next level now."""
    give(reach, "escalate", incident_id, reason=reason)


def handoff(
    reach: Reach,
    incident_id: IncidentId,
    *,
    to: Annotated[str, typer.Option("--to", help="The id of a person.")],
    reason: Reason = None,
) -> None:
    """Give it to somebody else, who is paged; the next level keeps its time."""
    give(reach, "handoff", incident_id, to=to, reason=reason)


def resolve(reach: Reach, incident_id: IncidentId, *, reason: Reason = None, length: Length = None) -> None:
    """Close it unverified; if it still fires after --for (1h) it pages again."""
    give(reach, "resolve", incident_id, reason=reason, **{"for": length})


def resume(reach: Reach, incident_id: IncidentId, *, reason: Reason = None) -> None:
    """Hand the wheel back: the ladder is climbed anew."""
    give(reach, "resume", incident_id, reason=reason)


def approve(reach: Reach, incident_id: IncidentId, *, rung: RungName = None, reason: Reason = None) -> None:
    """Approve the proposed rung, or the return of a debt; it is re-checked on fresh data before it runs."""
    give(reach, "approve", incident_id, rung=rung, reason=reason)


def reject(reach: Reach, incident_id: IncidentId, *, rung: RungName = None, reason: Reason = None) -> None:
    """Reject the proposed rung, or waive the debt whose return is proposed."""
    give(reach, "reject", incident_id, rung=rung, reason=reason)


def note(reach: Reach, incident_id: IncidentId, text: Annotated[str, typer.Argument()]) -> None:
    """Write something on the timeline."""
    give(reach, "note", incident_id, text=text)


def verdict(
    reach: Reach,
    incident_id: IncidentId,
    word: Annotated[str, typer.Argument(metavar="VERDICT", help="real, false_alarm or planned")],
    *,
    text: Annotated[str | None, typer.Option(help="What else to remember.")] = None,
) -> None:
    """Say what the incident really was: real, false_alarm or planned."""
    give(reach, "verdict", incident_id, verdict=word, text=text)


def unlock(reach: Reach, target: Annotated[str, typer.Argument()], *, reason: Reason = None) -> None:
    """End the fail-over lock of a target."""
    give(reach, "unlock", target=target, reason=reason)


def pause(reach: Reach, *, scope: Scope = None, reason: Reason = None, length: Length = None) -> None:
    """Stop all actions, or those of a scope; pages go on. Works even when the store cannot be written."""
    give(reach, "pause", scope=scope, reason=reason, **{"for": length})


def unpause(
    reach: Reach,
    *,
    scope: Scope = None,
    mute: Annotated[str | None, typer.Option("--id", help="Only this one.")] = None,
    kind: Annotated[str, typer.Option(help="pause, maintenance or silence")] = "pause",
    reason: Reason = None,
) -> None:
    """Lift pauses (or, with --kind, maintenance and silences) of exactly this scope."""
    give(reach, "unpause", scope=scope, id=mute, kind=kind, reason=reason)


def silence(
    reach: Reach,
    *,
    scope: Scope = None,
    reason: Reason = None,
    length: Length = None,
) -> None:
    """Quiet the pages of a scope and stop its actions; without --scope: list silences."""
    if scope is None:
        _listed(reach, "silence", length, reason)
    else:
        give(reach, "silence", scope=scope, reason=reason, **{"for": length})


def maintenance(
    reach: Reach,
    *,
    scope: Scope = None,
    reason: Reason = None,
    length: Length = None,
    at: Annotated[str | None, typer.Option(help="When it begins; now when left out.")] = None,
) -> None:
    """Stop actions and quiet pages while work is done; without options: list maintenance."""
    if scope is None and length is None:
        _listed(reach, "maintenance", length, reason or at)
    else:
        give(reach, "maintenance", scope=scope, reason=reason, at=at, **{"for": length})


def _listed(reach: Reach, kind: str, *left_over: str | None) -> None:
    from daemon.cli import questions, show
    from daemon.incidents.records import MuteKind

    if any(left_over):
        raise UsageError(f"{kind} takes --scope too (and --scope '*' is everything, for maintenance)")
    answer(reach, questions.mutes(MuteKind(kind)), show.mutes)
