"""What a rehearsal is worth: each answer of it graded, every guardrail asked as if the failure had come now.

Assumed of the failure: it is in breach on fresh data, corroborated, without an undecided cause, and nobody was paged
yet. Everything else (pauses, what is in flight, locks, budgets, cooldowns, a storm) is read as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from config.scope import Scope, scope_of
from config.section import SEVERITY_OF, Autonomy
from config.templates import Expression, TemplateError
from daemon.incidents.drills import Check, Grade, RungDrill, ScopeDrill
from daemon.incidents.model import Incident, IncidentState
from daemon.mitigate import journal
from daemon.mitigate.facts import Control, Rows, Rules, facts_of, names_for
from daemon.mitigate.rehearsal import Rehearsed, Task, parts
from daemon.mitigate.step import own_check
from daemon.store.unit import UnitOfWork
from remediations.actions.registry import Prepared
from remediations.guardrails.control import effective_autonomy
from remediations.guardrails.facts import Facts
from remediations.guardrails.gate import Answer, Gate
from remediations.guardrails.registry import ask
from remediations.run import Evidence, Run, RunState
from remediations.spec import Playbook, Rung, action_of
from remediations.verification import Reading, Seen

MOST_SCOPES = 20
"""Scopes of one drill; more are left out, and that is said."""
DRILL = "drill"
"""Stands where an incident's id would."""
BY_PEOPLE = frozenset({"kill_switch", "person", "maintenance", "storm"})
"""Guardrails whose no is somebody's will, or passes: nothing about the playbook is broken."""

ELSEWHERE = frozenset({"require", "autonomy", "target_set"})
"""Guardrails whose question has a check of its own."""
NEVER = "never fits here, whatever the probes say"
_WORD = re.compile(r"""'[^']*'|"[^"]*"|[\w.]+|\s+|.""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Case:
    """A playbook at one scope as a drill sees it: rows and names as for an incident that began now.

    Good for as long as the transaction that it was read in.
    """

    name: str
    playbook: Playbook
    scope: Scope
    incident: Incident
    rows: Rows
    rules: Rules
    now: float

    @classmethod
    def of(cls, uow: UnitOfWork, name: str, scope: Scope, rules: Rules, now: float) -> Case:
        playbook = rules.playbooks[name]
        severity = str(SEVERITY_OF[playbook.failure_mode])
        mode = str(playbook.failure_mode)
        incident = Incident(DRILL, mode, scope, severity, IncidentState.OPEN, now, now, playbook=name)
        rows = journal.rows_of(uow, incident, Run(DRILL, name, RunState.RECHECKING, now), playbook, now)
        return cls(name, playbook, scope, incident, rows, rules, now)

    def task(self) -> Task:
        """What a worker needs."""
        return Task(
            self.playbook, self.scope, names_for(self.incident, None, self.rows, self.rules, self.now)
        )


def scopes_of(
    name: str, rules: Rules, label_sets: Sequence[Sequence[str]], values: Callable[[str], Sequence[str]]
) -> tuple[Scope, ...]:
    """Every known scope that this playbook would be chosen for, `MOST_SCOPES` at most.

    `label_sets`: the labels that its incidents may have, the last for where the others give nothing. `values`: the
    known values of a label; one of which none is known is left out of the scope.
    """
    book = rules.playbooks[name]
    *usual, least = label_sets
    found = dict.fromkeys(_combined(book, usual, values)) or dict.fromkeys(_combined(book, [least], values))
    mine = (scope for scope in found if chosen(rules.playbooks, book.failure_mode, scope) == name)
    return tuple(islice(mine, MOST_SCOPES))


def _combined(
    book: Playbook, label_sets: Sequence[Sequence[str]], values: Callable[[str], Sequence[str]]
) -> Iterator[Scope]:
    for labels in label_sets:
        known = {label: _matched(book, label) or tuple(values(label)) for label in labels}
        known = {label: members for label, members in known.items() if members}
        if known or not labels:
            for row in product(*known.values()):
                yield scope_of(zip(known, row, strict=True))


def chosen(playbooks: Mapping[str, Playbook], mode: str, scope: Scope) -> str | None:
    """The playbook that an incident of this mode would climb at this scope."""
    fitting = [(name, book) for name, book in playbooks.items() if book.matches(mode, scope)]
    return max(fitting, key=lambda item: item[1].specificity, default=(None, None))[0]


def never(text: str, names: Mapping[str, object]) -> bool:
    """Whether a part of the condition that no probe can change says no: `scope.field is defined`."""
    for part in _conjuncts(text):
        try:
            condition = Expression(part)
            if condition.names <= {"scope", "vars"} and not condition.evaluate(names):
                return True
        except TemplateError:
            continue
    return False


def _conjuncts(text: str) -> list[str]:
    """What `and` joins at the top; the whole where something binds weaker than `and`."""
    parts, depth = [""], 0
    for word in _WORD.findall(text):
        depth += (word in "([{") - (word in ")]}") if len(word) == 1 else 0
        if depth == 0 and word in {"or", "if", "else"}:
            return [text]
        if depth == 0 and word == "and":
            parts.append("")
        else:
            parts[-1] += word
    return parts


def judged(case: Case, seen: Rehearsed, control: Control, more: Sequence[Check] = ()) -> ScopeDrill:
    """The graded drill of one scope. `more`: what others asked about all of it (who would be paged)."""
    return ScopeDrill(
        case.scope,
        (*_whole(case, seen), *more),
        tuple(_rung(case, rung, seen, control) for rung in case.playbook.ladder),
    )


def _matched(book: Playbook, label: str) -> tuple[str, ...]:
    wanted = book.match.get(label, ())
    return (wanted,) if isinstance(wanted, str) else wanted


def _whole(case: Case, seen: Rehearsed) -> Iterator[Check]:
    other = chosen(case.rules.playbooks, case.playbook.failure_mode, case.scope)
    if other == case.name:
        yield Check("playbook", Grade.PASSED, "would be chosen")
    else:
        yield Check("playbook", Grade.FAILED, f"{other} would be chosen" if other else "would not be chosen")
    for name, question in case.playbook.diagnose.items():
        check = f"probe {name}"
        if name in seen.lacking:
            text = f"{question.probe} cannot be asked here: it needs {', '.join(seen.lacking[name])}"
            yield Check(check, Grade.UNASKED, text)
        else:
            yield _answered(check, question.probe, seen.evidence.get(name))


def _answered(name: str, probe: str, seen: Evidence | None) -> Check:
    """Whether it answers at all: what it says of a healthy pipeline is not the point."""
    if seen is None or seen.error:
        return Check(name, Grade.FAILED, f"{probe}: {'not asked' if seen is None else seen.error}")
    return Check(name, Grade.PASSED, f"{probe} answers, {'ok' if seen.ok else 'not ok'}")


def trace(
    case: Case, rung: Rung, seen: Rehearsed, control: Control, *, approved_by: str | None = None
) -> Answer:
    """Every guardrail's answer as if the failure had come now."""
    return ask(rung, case.playbook.guardrails, _facts(case, rung, seen, control, approved_by), case.now)


def _facts(case: Case, rung: Rung, seen: Rehearsed, control: Control, approved_by: str | None) -> Facts:
    run = Run(
        DRILL,
        case.name,
        RunState.RECHECKING,
        case.now,
        evidence=seen.evidence,
        approved_by=approved_by,
    )
    return facts_of(
        rung,
        run,
        case.playbook,
        case.rows,
        case.rules,
        control=control,
        fault=Reading(case.now, Seen.BREACH, case.now),
        fresh_within=1.0,
        causes=(),
        now=case.now,
    )


def _rung(case: Case, rung: Rung, seen: Rehearsed, control: Control) -> RungDrill:
    facts = _facts(case, rung, seen, control, None)
    kind, _ = action_of(rung.do)
    if rung.when is not None and never(rung.when, facts.names):
        return RungDrill(rung.name, str(rung.kind), kind, checks=(Check("when", Grade.UNASKED, NEVER),))
    answer = ask(rung, case.playbook.guardrails, facts, case.now)
    checks = [
        *_conditions(rung, facts.names, seen.lacking),
        _guardrails(rung, answer, case.rules.autonomy),
        *(_action(part, place, seen) for place, part in _places(case.playbook, rung)),
        *_confirm(rung, seen),
    ]
    gates = tuple(answer.data())
    return RungDrill(rung.name, str(rung.kind), kind, facts.targets, tuple(checks), gates)


def _places(book: Playbook, rung: Rung) -> Iterator[tuple[tuple[str, str], str]]:
    for place, _ in parts(book):
        if place[0] == rung.name:
            yield place, place[1]


def _conditions(rung: Rung, names: Mapping[str, object], lacking: Mapping[str, object]) -> Iterator[Check]:
    """Whether each can be decided from what the probes say; what it says now is no fault of either."""
    texts = {"when": rung.when, "require": rung.require}
    for number, step in enumerate(rung.return_.steps if rung.return_ is not None else ()):
        texts["return when" if not number else f"return {number + 1} when"] = step.when
    for name, text in texts.items():
        if text is None:
            continue
        condition = Expression(text)
        try:
            holds = bool(condition.evaluate(names))
        except TemplateError as error:
            unasked = any(("facts", fact) in condition.reads for fact in lacking)
            grade = Grade.UNASKED if unasked else Grade.FAILED
            yield Check(name, grade, f"`{text}` is unknown{' here' if unasked else ''}: {error}")
        else:
            yield Check(name, Grade.PASSED, f"decided: {'holds' if holds else 'does not hold'} now")


def _guardrails(rung: Rung, answer: Answer, ceiling: Autonomy) -> Check:
    """`require` and the action have checks of their own. Asking a person first is as it was written."""
    name = "guardrails"
    refused = [gate for gate in answer.refusals if gate.name not in ELSEWHERE]
    broken = [gate for gate in refused if gate.name not in BY_PEOPLE]
    level = effective_autonomy(rung.autonomy, ceiling)
    if broken:
        return Check(name, Grade.FAILED, _said(broken))
    if refused:
        return Check(name, Grade.HELD, _said(refused))
    if level is Autonomy.OBSERVE:
        return Check(name, Grade.HELD, "autonomy: observing only")
    return Check(
        name, Grade.PASSED, "allowed" if level is Autonomy.AUTO else "allowed once a person approves"
    )


def _said(gates: Sequence[Gate]) -> str:
    return "; ".join(f"{gate.name}: {gate.reason}" for gate in gates)


def _action(part: str, place: tuple[str, str], seen: Rehearsed) -> Check:
    ready, look = seen.actions.get(place), seen.looks.get(place)
    if not isinstance(ready, Prepared):
        return Check(part, Grade.FAILED, f"cannot be made ready: {ready or 'not tried'}")
    if look is None or look.ok is None:
        return Check(part, Grade.UNASKED, look.text if look else "not looked at")
    return Check(part, Grade.PASSED if look.ok else Grade.FAILED, look.text)


def _confirm(rung: Rung, seen: Rehearsed) -> Iterator[Check]:
    check = own_check(rung)
    if check is not None:
        yield _answered("confirm", check.probe, seen.confirms.get(rung.name))
