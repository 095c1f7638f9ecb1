"""Workers: the only code that touches the world. A worker takes a job and returns a message; it writes nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from config.scope import scope_of
from config.secrets import Redactor
from daemon import log
from daemon.app.labels import LabelCleaner
from daemon.detect.fetching import Fetch, Fetcher
from daemon.detect.probes import Prober
from daemon.escalate import ical
from daemon.escalate.calendars import AHEAD, BACK, content_of
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import AddressBook
from daemon.escalate.direct import DirectPager
from daemon.escalate.ical import BadCalendar
from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.post import post
from daemon.incidents.change import Job
from daemon.loop import calendars, drills
from daemon.loop.heart import HEARTBEAT
from daemon.loop.messages import (
    Answered,
    Beaten,
    CalendarRead,
    Drilled,
    Fetched,
    Message,
    Performed,
    Posted,
    Tick,
    Told,
)
from daemon.mitigate.rehearsal import Rehearsed, rehearse
from detectors.samples import Failed
from remediations.actions.action import Permit
from remediations.actions.looks import Looker
from remediations.actions.registry import Actions
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import PortError, Ports, Request
from remediations.run import Evidence


@dataclass(frozen=True, slots=True)
class Tools:
    """What workers use; replaced as a whole by a reload, so a job under way keeps the tools it began with."""

    fetcher: Fetcher
    prober: Prober
    actions: Actions
    looker: Looker
    book: AddressBook
    redactor: Redactor
    public_url: str = ""


DIRECT = "direct"
"""Kind of the job that tells people about the daemon itself without a row."""


class Workers:
    """Carries out jobs. Every failure becomes a message: what a worker cannot foresee is *unknown*."""

    def __init__(self, tools: Tools, ports: Ports, permit: Permit) -> None:
        self.tools = tools
        self._labels = LabelCleaner(tools.redactor.text)
        self.pager: Callable[[], DirectPager] | None = None
        self._ports, self._permit = ports, permit
        self._direct: DirectPager | None = None
        self._guard = threading.Lock()
        self._users: Counter[int] = Counter()
        """Jobs under way by the tools they began with."""

    def adopt(self, tools: Tools) -> None:
        """After a reload: new jobs take these; the old ones are let go once nobody uses them any more."""
        with self._guard:
            old, self.tools = self.tools, tools
            self._labels = LabelCleaner(tools.redactor.text)
            idle = not self._users[id(old)]
        if idle:
            old.fetcher.close()

    def redacted(self, data: Any) -> Any:
        """Text, or data with texts in it, without the secrets that are known now."""
        return self.tools.redactor.data(data)

    def work(self, job: Job) -> Message:
        """Do one job of any kind. Never raises."""
        with self._guard:
            tools = self.tools
            self._users[id(tools)] += 1
        try:
            return self._handled(tools, job)
        finally:
            with self._guard:
                self._users[id(tools)] -= 1
                left = tools is not self.tools and not self._users[id(tools)]
            if left:
                tools.fetcher.close()

    def _handled(self, tools: Tools, job: Job) -> Message:
        handler: Callable[[Tools, Job], Message] = {
            "fetch": self._fetch,
            "probe": self._probe,
            "action": self._action,
            "post": self._post,
            drills.KIND: self._drill,
            calendars.KIND: self._calendar,
            HEARTBEAT: self._heartbeat,
            DIRECT: self._tell_directly,
        }[job.kind]
        try:
            return handler(tools, job)
        except Exception as error:  # noqa: BLE001 - the loop must hear of every job it gave away
            return self._broken(job, f"{type(error).__name__}: {tools.redactor.text(str(error))}")

    def _fetch(self, tools: Tools, job: Job) -> Message:
        fetch: Fetch = job.args["fetch"]
        result = tools.fetcher.carry_out(fetch)
        if isinstance(result, Evidence):
            return Answered(job.key, _clean(tools, result))
        if isinstance(result, Failed):
            result = replace(result, reason=tools.redactor.text(result.reason))
        else:
            result = self._labels.batch(result)
            if result.warnings:
                result = replace(result, warnings=tuple(map(tools.redactor.text, result.warnings)))
        return Fetched(job.key, result)

    def _probe(self, tools: Tools, job: Job) -> Message:
        if "fetch" in job.args:
            return self._fetch(tools, job)
        scope = scope_of(job.args["scope"])
        evidence = tools.prober.ask(job.args["probe"], scope, self._deadline(job), job.args["ok"])
        return Answered(job.key, _clean(tools, evidence))

    def _action(self, tools: Tools, job: Job) -> Message:
        outcome = tools.actions.perform(
            job.args["action"],
            job.args["rendered"],
            self._ports,
            deadline=self._deadline(job),
            permit=self._permit,
            key=job.key,
        )
        return Performed(job.key, outcome)

    def _drill(self, tools: Tools, job: Job) -> Message:
        deadline = self._deadline(job)
        found = [
            rehearse(task, tools.prober, tools.actions, tools.looker, self._ports, deadline=deadline)
            for task in job.args["tasks"]
        ]
        return Drilled(drills.drill_of(job), tuple(cleaned(tools, seen) for seen in found))

    def _post(self, tools: Tools, job: Job) -> Message:
        doors = Doors(self._ports.http, self._ports.clock, tools.redactor.text, tools.public_url)
        return Posted(job.key, post(job.args, tools.book, doors, self._deadline(job)))

    def _heartbeat(self, tools: Tools, job: Job) -> Message:
        """Only a 2xx is heard: a check that was deleted answers 404, a moved one redirects and nobody follows."""
        method, url, body = job.args["beat"]
        request = Request(method, url, body=tools.redactor.text(body).encode() if body else None)
        try:
            status = self._ports.http.send(request, deadline=self._deadline(job)).status
            error = "" if 200 <= status < 300 else f"answered {status}"
        except PortError as failure:
            error = tools.redactor.text(str(failure))
        if error:
            log.get().warning(log.HEARTBEAT_FAILED, error=error)
        return Beaten(error)

    def _calendar(self, tools: Tools, job: Job) -> Message:
        name, now = calendars.schedule_of(job), self._ports.clock.now()
        spec, zone, names = (job.args[key] for key in ("calendar", "zone", "names"))
        try:
            content = content_of(spec, self._ports.http, self._ports.files, self._deadline(job))
            found = ical.read(content, zone, names, now, back=BACK, ahead=AHEAD)
        except BadCalendar as why:
            return CalendarRead(name, error=tools.redactor.text(str(why)))
        return CalendarRead(name, found.booked, tuple(map(tools.redactor.text, found.strangers[:20])))

    def _tell_directly(self, _: Tools, job: Job) -> Message:
        """One pager for a whole trouble: it remembers whom it told, to tell them the end."""
        assert self.pager is not None
        pager = self._direct = self._direct or self.pager()
        now = self._ports.clock.now()
        if "over" in job.args:
            pager.over(job.args["part"], job.args["over"], now)
            self._direct = None
        else:
            pager.page(job.args["part"], job.args["text"], now, job.args.get("about", ()))
        return Told(pager.records())

    def _deadline(self, job: Job) -> float:
        clock = self._ports.clock
        return clock.monotonic() + max(0.0, job.deadline_at - clock.now())

    def _broken(self, job: Job, error: str) -> Message:
        now = self._ports.clock.now()
        if job.kind == "action":
            return Performed(job.key, Outcome(OutcomeState.UNKNOWN, error, "", now))
        if job.kind == "post":
            return Posted(job.key, Receipt(ReceiptKind.TEMPORARY, error))
        if job.kind == drills.KIND:
            return Drilled(drills.drill_of(job), error=error)
        if job.kind == calendars.KIND:
            return CalendarRead(calendars.schedule_of(job), error=error)
        return self._unheard(job, error, now)

    def _unheard(self, job: Job, error: str, now: float) -> Message:
        """The rest: what was asked of the outside, or told to it."""
        fetch: Any = job.args.get("fetch")
        if job.kind in {HEARTBEAT, DIRECT}:
            log.get().error(log.PAGE_NOT_SENT, error=error)
            return Beaten(error) if job.kind == HEARTBEAT else Tick(job.kind + " failed")
        if job.kind == "fetch":
            return Fetched(job.key, Failed(fetch.name, fetch.at, error))
        return Answered(job.key, Evidence(now, ok=False, error=error))


def cleaned(tools: Tools, seen: Rehearsed) -> Rehearsed:
    """What probes said in a drill is kept and shown as well: no secret in it."""
    evidence = {name: _clean(tools, answer) for name, answer in seen.evidence.items()}
    confirms = {name: _clean(tools, answer) for name, answer in seen.confirms.items()}
    return replace(seen, evidence=evidence, confirms=confirms)


def _clean(tools: Tools, evidence: Evidence) -> Evidence:
    """What a probe answered ends up in rows, pages and pages' history: no secret may come along."""
    return replace(
        evidence, body=tools.redactor.data(evidence.body), error=tools.redactor.text(evidence.error)
    )
