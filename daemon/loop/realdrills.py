"""A drill for real: rung by rung carried out through the journal, seen, taken back at once, and compared with before.

    ask -> do -> see -> back (each step of the chain) -> compare -> the next rung's ask

Where it stands is a row, so a crash changes nothing but that the rung under way counts as failed; what was or may have
been done is taken back all the same. Whatever goes wrong ends it; what is not as before then is a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from config.scope import scope_of
from config.section import Autonomy, Severity
from daemon.escalate.triggers import PageOwed
from daemon.incidents.change import Change
from daemon.incidents.drills import Check, Drill, DrillState, Grade
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import DRILL
from daemon.incidents.records import Attempt, Phase
from daemon.loop import own
from daemon.loop.ground import Ground
from daemon.mitigate.drill import Case, trace
from daemon.mitigate.journal import time_for
from daemon.mitigate.realdrill import Step, chain_of, differences, holds, picture, step_of, why_not
from daemon.mitigate.rehearsal import Rehearsed
from daemon.store.unit import UnitOfWork
from remediations.actions.registry import Prepared
from remediations.spec import Rung

SHOWS_WITHIN = 60.0
"""Seconds for an effect to show, for a pre-check to hold, for the world to be as before."""
LABEL = "drill"
LATE = 2 * SHOWS_WITHIN
"""Seconds after which probes that were never answered are not waited for any more."""
TRIES = 6
"""How often taking a step back is begun where nothing was done: a pause may be lifted, a restart be over."""
AGAIN = 10.0
"""Seconds between two of them."""
GONE = "the playbook was changed in the middle of it"
UNASKED = "its probes could not be asked"
WAITS = frozenset({"ask", "see", "compare"})
"""Phases that need the probes' answers to go on; `back` does where its step has a pre-check."""


def refusal(loop: Ground, uow: UnitOfWork, *, but: str = "") -> str:
    """Why nothing may be carried out for real now; nothing when it may be. `but`: the drill that is under way itself."""
    if not loop.stages.drills.spec.for_real:
        return "drills.for_real is not set in this configuration: nothing is carried out here"
    if (why := loop.control.kill_switch()) is not None:
        return why
    if uow.incidents.storm() is not None:
        return "a storm stands"
    if loop.stages.mitigate.rules.autonomy is Autonomy.OBSERVE:
        return "autonomy is observe"
    standing = next((i.id for i in uow.incidents.open() if i.failure_mode != DRILL), None)
    if standing is not None:
        return f"{standing} stands open: a drill for real is for a healthy pipeline"
    others = (row.id for row in uow.drills.under_way() if row.state is DrillState.REAL and row.id != but)
    other = next(others, None)
    return f"drill {other} is under way" if other else ""


def begin(loop: Ground, uow: UnitOfWork, row: Drill, seen: Rehearsed, now: float) -> Drill:
    """The rehearsal passed: which rungs are carried out, and an incident that the journal belongs to."""
    book = loop.stages.mitigate.rules.playbooks[row.playbook]
    rungs = [rung for rung in book.ladder if row.rung in {"", rung.name}]
    reasons = {rung.name: why_not(rung, seen) for rung in rungs}
    results = [
        _result(name, Grade.UNASKED, f"not carried out: {why}") for name, why in reasons.items() if why
    ]
    todo = [name for name, why in reasons.items() if not why]
    why = refusal(loop, uow)
    if why or not todo:
        return replace(
            row, state=DrillState.REFUSED, ended_at=now, note=why or "no rung of it can be taken back"
        )
    text = f"{row.who} drills {row.playbook} for real: {', '.join(todo)}."
    about = (DRILL, {**dict(seen.scope), LABEL: row.id}, str(Severity.HIGH))
    incident = own.opened(
        loop, uow, about, text, now, data={"drill": row.id}, playbook=row.playbook, actor=row.who
    )
    real = {"incident": incident.id, "todo": todo, "results": results, "phase": "ask", "since": now}
    return replace(row, state=DrillState.REAL, real=real)


def advance(loop: Ground, uow: UnitOfWork, row: Drill, seen: Rehearsed | None, now: float) -> Drill:
    """One step; the same row when there is nothing to do. `seen`: answers that just came."""
    return _Real(loop, uow, row, seen, now).step()


def asks(row: Drill) -> bool:
    """Whether the probes have to be asked for it to go on."""
    real = row.real
    if real["phase"] == "back":
        chain, step = real["chain"], real["step"]
        return step < len(chain) and chain[step]["when"] is not None and step not in real["held"]
    return real["phase"] in WAITS


def results(row: Drill) -> tuple[Check, ...]:
    """What came of each rung, as checks."""
    found = row.real.get("results", ())
    return tuple(Check(f"{one['rung']} for real", Grade(one["grade"]), one["text"]) for one in found)


class _Real:
    """One turn of one drill; `real` is the row's own data while it is changed."""

    def __init__(self, loop: Ground, uow: UnitOfWork, row: Drill, seen: Rehearsed | None, now: float) -> None:
        self.loop, self.uow, self.row, self.seen, self.now = loop, uow, row, seen, now
        self.real: dict[str, Any] = dict(row.real)

    def step(self) -> Drill:
        phases = {
            "ask": self._ask,
            "do": self._do,
            "see": self._see,
            "back": self._back,
            "compare": self._compare,
        }
        done = phases[self.real["phase"]]()
        return done if done is not None else replace(self.row, real=self.real)

    @property
    def rung(self) -> Rung | None:
        """None when the playbook was changed meanwhile."""
        book = self.loop.stages.mitigate.rules.playbooks.get(self.row.playbook)
        name = self.real["todo"][0]
        return next((rung for rung in book.ladder if rung.name == name), None) if book is not None else None

    @property
    def _late(self) -> bool:
        """No answer was had for so long that none will be."""
        return bool(self.now >= self.real["since"] + LATE)

    # ------------------------------------------------------------------ phases

    def _ask(self) -> Drill | None:
        case, rung = self._case(), self.rung
        if self.seen is None and case is not None:
            return self._over(UNASKED) if self._late else None
        if self.seen is None or case is None or rung is None:
            return self._over(GONE)
        if why := refusal(self.loop, self.uow, but=self.row.id):
            return self._over(why)
        return self._carry_out(case, rung, self.seen)

    def _carry_out(self, case: Case, rung: Rung, seen: Rehearsed) -> Drill | None:
        """What takes it back is made ready before anything is touched."""
        if why := why_not(rung, seen):
            self._keep(rung.name, Grade.UNASKED, f"not carried out: {why}")
            return self._next()
        answer = trace(case, rung, seen, self.loop.control, approved_by=self.row.who)
        gates = {"rung": rung.name, "allowed": answer.allowed, "gates": answer.data()}
        said = "allowed" if answer.allowed else "refused"
        self._say(Kind.GATES, f"{rung.name}: {said} in a drill.", **gates)
        if not answer.allowed:
            said = "; ".join(f"{gate.name}: {gate.reason}" for gate in answer.refusals)
            self._keep(rung.name, Grade.FAILED, f"refused by {said}")
            return self._next()
        ready = seen.actions[rung.name, "do"]
        assert isinstance(ready, Prepared), "why_not has looked"
        before = picture(case.playbook, seen, case.task().names)
        self.real |= {"before": before, "trouble": "", "chain": chain_of(rung, seen)}
        self.real |= {"step": 0, "held": [], "tries": 0, "unsure": False}
        self._intend(rung, Phase.DO, "do", step_of(ready))
        self._to("do")
        return None

    def _do(self) -> Drill | None:
        attempt = self._attempt("do")
        if attempt is None or attempt.outcome is None:
            return None
        if attempt.outcome == "not_done":
            self._keep(self.real["todo"][0], Grade.FAILED, f"nothing was done: {attempt.effect}")
            return self._over("a rung could not be carried out")
        if attempt.outcome != "done":
            self._trouble(f"{attempt.outcome}: {attempt.effect}")
        self._to("see" if attempt.outcome == "done" else "back")
        return None

    def _see(self) -> Drill | None:
        if self.seen is None and self.rung is not None and not self._late:
            return None
        if self.seen is None:
            self._trouble(UNASKED if self.rung is not None else GONE)
            self._to("back")
            return None
        own = self.seen.confirms.get(self.real["todo"][0])
        if own is not None and not own.ok and self.now < self.real["since"] + SHOWS_WITHIN:
            return None
        if own is not None and not own.ok:
            self._trouble(f"its effect did not show within {SHOWS_WITHIN:.0f} s")
        self._to("back")
        return None

    def _back(self) -> Drill | None:
        chain, step = self.real["chain"], self.real["step"]
        if step >= len(chain):
            self._to("compare")
            return None
        attempt = self._attempt(self._part)
        if attempt is None:
            return self._take_back(chain[step], step)
        if attempt.outcome is None:
            return None
        if attempt.outcome == "not_done" and self.real["tries"] < TRIES:
            if self.now >= (attempt.ended_at or self.now) + AGAIN:
                self.real |= {"tries": self.real["tries"] + 1}
            return None
        if attempt.outcome != "done":
            self.real |= {"unsure": True}
            self._trouble(f"taking it back: {attempt.outcome}, {attempt.effect}")
        self.real |= {"step": step + 1, "since": self.now}
        return None

    def _take_back(self, written: Step, step: int) -> Drill | None:
        """Its pre-check may take a while to hold; what then does not is left to the comparison."""
        ready = step in self.real["held"]
        if written["when"] is not None and not ready:
            case = self._case()
            if self.seen is None and case is not None and not self._late:
                return None
            names = case.task().names if case is not None else {}
            if self.seen is None or not holds(written["when"], self.seen, names):
                if self.now >= self.real["since"] + SHOWS_WITHIN:
                    self._trouble(f"the pre-check of taking it back did not hold: `{written['when']}`")
                    self.real |= {"step": len(self.real["chain"])}
                return None
            self.real |= {"held": [*self.real["held"], step]}
        phase = Phase.UNDO if self.rung is not None and self.rung.undo is not None else Phase.RETURN
        self._intend(self.rung, phase, self._part, written)
        return None

    def _compare(self) -> Drill | None:
        case, name = self._case(), self.real["todo"][0]
        if self.seen is None and case is not None and not self._late:
            return None
        if self.seen is None or case is None:
            why = f"whether all is as before is not known: {UNASKED if case is not None else GONE}"
            self._keep(name, Grade.FAILED, why)
            return self._over("", left=f"{name}: {why}")
        wrong = differences(self.real["before"], picture(case.playbook, self.seen, case.task().names))
        if wrong and self.now < self.real["since"] + SHOWS_WITHIN:
            return None
        told = not any(answer.error for answer in self.seen.evidence.values())
        if wrong and told and self.real["unsure"] and self.real["tries"] <= TRIES:
            # Nobody saw the end of it, and the probes say that it was not taken back: once more, as a new decision.
            self.real |= {"step": 0, "held": [], "tries": TRIES + 1}
            self._to("back")
            return None
        if wrong:
            self._keep(name, Grade.FAILED, f"not as before: {'; '.join(wrong[:3])}")
            return self._over("", left=f"{name} was not taken back: {'; '.join(wrong[:3])}")
        trouble = self.real["trouble"]
        said = trouble or "carried out, seen, taken back; all is as before"
        self._keep(name, Grade.FAILED if trouble else Grade.PASSED, said)
        return self._over("") if trouble else self._next()

    # ------------------------------------------------------------------ parts of them

    def _next(self) -> Drill | None:
        self.real["todo"] = self.real["todo"][1:]
        if not self.real["todo"]:
            return self._over("")
        self._to("ask")
        return None

    def _over(self, note: str, *, left: str = "") -> Drill:
        """The end of it: resolved, or, where something is left behind, a page."""
        before = self.uow.incidents.get(self.real["incident"])
        row = replace(self.row, real=self.real, ended_at=self.now, note=note)
        failed = note or any(one["grade"] == Grade.FAILED for one in self.real["results"])
        row = replace(row, state=DrillState.FAILED if failed else DrillState.PASSED)
        if before is None or before.ended:
            return row
        if left:
            text = f"A drill of {self.row.playbook} for real left something behind: {left}. Put it right by hand."
            self.loop.tell(self.uow, before, (PageOwed(text),), self.now)
            return row
        own.ended(self.loop, self.uow, before, f"The drill is over: {row.state}.", self.now)
        return row

    def _case(self) -> Case | None:
        rules = self.loop.stages.mitigate.rules
        if self.row.playbook not in rules.playbooks:
            return None
        labels = dict(self.uow_scope())
        return Case.of(self.uow, self.row.playbook, scope_of(labels), rules, self.now)

    def uow_scope(self) -> Mapping[str, str]:
        """The scope that is drilled: the incident's, without the drill's own label."""
        incident = self.uow.incidents.get(self.real["incident"])
        return {k: v for k, v in (incident.scope if incident is not None else ()) if k != LABEL}

    @property
    def _part(self) -> str:
        """The step under way, and which try of it."""
        tries = self.real["tries"]
        return f"back {self.real['step']}" + (f" {tries}" if tries else "")

    def _key(self, part: str) -> str:
        return f"{self.real['incident']}/1/{self.real['todo'][0]}/{part}"

    def _attempt(self, part: str) -> Attempt | None:
        return self.uow.attempts.get(self._key(part))

    def _intend(self, rung: Rung | None, phase: Phase, part: str, step: Step) -> None:
        rules = self.loop.stages.mitigate.rules
        lock = (
            rules.playbooks[self.row.playbook].guardrails.lock
            if self.row.playbook in rules.playbooks
            else None
        )
        attempt = Attempt(
            key=self._key(part),
            incident=self.real["incident"],
            playbook=self.row.playbook,
            scope=scope_of(self.uow_scope()),
            rung=self.real["todo"][0],
            kind=str(rung.kind) if rung is not None else "return",
            phase=phase,
            action=step["kind"],
            args=step["rendered"],
            targets=tuple(step["targets"]),
            disruptive=bool(step["disruptive"]),
            idempotent=bool(step["idempotent"]),
            on_interrupt="page",
            epoch=self.loop.control.epoch,
            intended_at=self.now,
            deadline_at=self.now + time_for(step["rendered"]),
            locks=(lock,) if lock else (),
        )
        text = f"{attempt.rung}: {part} is intended ({attempt.action} on {', '.join(attempt.targets)})."
        event = Event(
            attempt.incident, self.now, Kind.INTENDED, text, {"rung": attempt.rung, "key": attempt.key}
        )
        self.loop.apply(self.uow, Change(attempts=(attempt,), events=(event,)))

    def _say(self, kind: Kind, text: str, **data: Any) -> None:
        event = Event(self.real["incident"], self.now, kind, text, data)
        self.loop.apply(self.uow, Change(events=(event,)))

    def _to(self, phase: str) -> None:
        self.real |= {"phase": phase, "since": self.now}

    def _trouble(self, text: str) -> None:
        """The first thing that went wrong is the one that is told."""
        self.real["trouble"] = self.real["trouble"] or text

    def _keep(self, rung: str, grade: Grade, text: str) -> None:
        self.real["results"] = [*self.real["results"], _result(rung, grade, text)]
        self._say(Kind.VERDICT, f"{rung}: {text}.", rung=rung, drill=str(grade))


def _result(rung: str, grade: Grade, text: str) -> dict[str, str]:
    return {"rung": rung, "grade": str(grade), "text": text}
