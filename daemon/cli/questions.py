"""Every question the command line can ask: where a remote daemon answers it, and how the store answers it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from daemon.clock import rfc3339
from daemon.desk import catalogue, drills, ladders, models, queries, reports
from daemon.desk.known import Known
from daemon.desk.postmortems import Postmortem
from daemon.desk.queries import Wanted
from daemon.incidents.records import MuteKind
from daemon.store.unit import UnitOfWork

M = TypeVar("M", bound=models.Model)

MUTE_PATHS = {
    MuteKind.PAUSE: "/pauses",
    MuteKind.MAINTENANCE: "/maintenance",
    MuteKind.SILENCE: "/silences",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a local answer is made from. `paused`: reasons that stand outside of the store (the kill switch).

    `leader`: the daemon that runs on this store and was not asked, or did not answer.
    """

    uow: UnitOfWork
    known: Known
    now: float
    paused: tuple[str, ...] = ()
    leader: str | None = None


@dataclass(frozen=True, slots=True)
class Question(Generic[M]):
    """`path` under `/api/v1`. `live`: the loop knows more than the store, so a running daemon is asked first."""

    model: type[M]
    path: str
    answer: Callable[[Asked], M]
    params: Mapping[str, str] = field(default_factory=dict)
    live: bool = False


def status() -> Question[models.Status]:
    return Question(
        models.Status,
        "/status",
        lambda asked: queries.status(
            asked.uow, asked.known, None, asked.now, paused=asked.paused, leader=asked.leader
        ),
        live=True,
    )


def incidents(wanted: Wanted) -> Question[models.Incidents]:
    params = {"limit": str(wanted.limit)}
    if wanted.only_open:
        params["open"] = "true"
    if wanted.modes:
        params["mode"] = ",".join(wanted.modes)
    for name, at in (("since", wanted.since), ("until", wanted.until)):
        if at is not None:
            params[name] = rfc3339(at)
    return Question(
        models.Incidents,
        "/incidents",
        lambda asked: queries.incidents(asked.uow, asked.known, wanted, asked.now),
        params,
    )


def incident(incident_id: str) -> Question[models.IncidentWithTimeline]:
    return Question(
        models.IncidentWithTimeline,
        f"/incidents/{incident_id}",
        lambda asked: queries.incident(asked.uow, asked.known, incident_id, asked.now),
    )


def explain(incident_id: str, at: float | None) -> Question[models.Explanation]:
    return Question(
        models.Explanation,
        f"/incidents/{incident_id}/explain",
        lambda asked: queries.explain(asked.uow, incident_id, at),
        {} if at is None else {"at": rfc3339(at)},
    )


def explain_target(target: str, at: float) -> Question[models.Explanation]:
    return Question(
        models.Explanation,
        "/explain",
        lambda asked: queries.explain_target(asked.uow, target, at),
        {"target": target, "at": rfc3339(at)},
    )


def debts() -> Question[models.Debts]:
    return Question(models.Debts, "/debts", lambda asked: queries.debts(asked.uow))


def playbooks() -> Question[ladders.Playbooks]:
    return Question(
        ladders.Playbooks, "/playbooks", lambda asked: catalogue.playbooks(asked.uow, asked.known, asked.now)
    )


def drills_of(playbook: str | None, limit: int) -> Question[drills.Drills]:
    params = {"limit": str(limit)} | ({} if playbook is None else {"playbook": playbook})
    return Question(drills.Drills, "/drills", lambda asked: drills.newest(asked.uow, playbook, limit), params)


def drill(drill_id: str) -> Question[drills.Drill]:
    return Question(drills.Drill, f"/drills/{drill_id}", lambda asked: drills.one(asked.uow, drill_id))


def mutes(kind: MuteKind) -> Question[models.Mutes]:
    return Question(models.Mutes, MUTE_PATHS[kind], lambda asked: queries.mutes(asked.uow, asked.now, kind))


def oncall(ahead: float = 0.0) -> Question[models.Oncall]:
    return Question(
        models.Oncall,
        "/oncall",
        lambda asked: catalogue.oncall(asked.uow, asked.known, asked.now, ahead),
        {"next": f"{min(math.ceil(ahead / 86_400), 999)}d"} if ahead else {},
    )


def pages() -> Question[models.Pages]:
    return Question(models.Pages, "/pages", lambda asked: queries.pages(asked.uow))


def postmortem(incident_id: str) -> Question[Postmortem]:
    return Question(
        Postmortem,
        f"/incidents/{incident_id}/postmortem",
        lambda asked: queries.postmortem(asked.uow, incident_id),
    )


def report(since: float, until: float) -> Question[reports.Report]:
    return Question(
        reports.Report,
        "/report",
        lambda asked: queries.report(asked.uow, asked.known, since, until),
        {"since": rfc3339(since), "until": rfc3339(until)},
    )
