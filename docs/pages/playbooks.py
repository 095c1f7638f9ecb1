"""`playbooks/NAME.md`: what the shipped playbooks do, and what a person does by hand in their place."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from config.section import SEVERITY_OF
from config.units import format_duration
from daemon.settings.load import load
from daemon.settings.model import Settings
from detectors.rule import rule_of
from detectors.spec import DetectorSpec
from detectors.texts import condition_text
from pages.byhand import command
from pages.examples import flow
from pages.runbook import AFTERWARDS, PREVENTION, RUNBOOKS, Runbook
from pages.text import code, table
from remediations.actions.registry import mends
from remediations.spec import Playbook, Return, ReturnStep, Rung, RungKind, action_of

LABELS = ("provider", "field", "tier", "endpoint", "customer")
INDENT = "│   "
PACK_ALONE = "version: 1\ntelemetry: {main: {type: prometheus, url: 'http://127.0.0.1:9090'}}\n"
"""The least that loads, so that everything else is the pack's own."""


def pages() -> dict[str, str]:
    """File name -> text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pack-alone.yaml"
        path.write_text(PACK_ALONE, encoding="utf-8")
        settings = load([path], environment={}).model
    return {f"{name}.md": _page(name, book, settings) for name, book in settings.playbooks.items()}


def _page(name: str, book: Playbook, settings: Settings) -> str:
    runbook = RUNBOOKS[book.failure_mode]
    match = f" at scope `{flow(dict(book.match))}`" if book.match else ""
    names = _names(book, settings)
    head = f"Failure mode `{book.failure_mode}`{match}, severity {SEVERITY_OF[book.failure_mode]}. {runbook.what}"
    return "\n".join(
        [
            f"# {name}\n\n{head} Usual time to resolve: {runbook.resolve_in}.\n",
            "**Never:** " + runbook.never + ".\n",
            _seen_by(book, settings),
            _diagnosis(book, runbook, settings),
            f"## The ladder\n\n```text\n{drawn(book)}\n```\n",
            _guards(book),
            _by_hand(book, names),
            _lists(),
        ]
    )


def _names(book: Playbook, settings: Settings) -> Mapping[str, object]:
    scope = {label: f"${label.upper()}" for label in LABELS}
    scope |= {label: value for label, value in book.match.items() if isinstance(value, str)}
    return {"scope": scope, "vars": settings.vars, "incident": {"id": "$INCIDENT"}}


def _seen_by(book: Playbook, settings: Settings) -> str:
    rows = [
        (code(name), *_conditions(name, spec))
        for name, spec in settings.detectors.items()
        if spec.failure_mode == book.failure_mode
    ]
    return "## Seen by\n\n" + table(("detector", "fires", "clears", "signal"), rows)


def _conditions(name: str, spec: DetectorSpec) -> tuple[str, str, str]:
    rule = rule_of(name, spec, default_source="main", step=15.0)
    written = spec.signal.model_dump(mode="json", by_alias=True, exclude_unset=True)
    signal = flow({spec.signal.kind: written[spec.signal.kind]})
    return condition_text(rule.signal, rule.fire), condition_text(rule.signal, rule.clear), code(signal)


def _diagnosis(book: Playbook, runbook: Runbook, settings: Settings) -> str:
    rows = [
        (code(f"facts.{fact}"), code(question.probe), code(str(settings.probes[question.probe].ok or "")))
        for fact, question in book.diagnose.items()
    ]
    looks = "".join(f"- {look}\n" for look in runbook.diagnose)
    return f"## Diagnosed by\n\n{table(('fact', 'probe', 'good when'), rows)}\nBy hand, in this order:\n\n{looks}"


def drawn(book: Playbook) -> str:
    """The ladder, top rung first; indented lines say when a rung fits and how it is proved."""
    lines = ["detected"]
    for number, rung in enumerate(book.ladder, 1):
        kind = rung.kind if mends(action_of(rung.do)[0]) else "mends nothing"
        lines += ["│", f"├─ {number}. {rung.name}  [{kind}, {rung.autonomy}]"]
        lines += [f"{INDENT}{line}" for line in _rung(rung)]
    lines += ["│", f"└─ page L1: {_end(book)}"]
    return "\n".join(lines)


def _rung(rung: Rung) -> Iterator[str]:
    if rung.when:
        yield f"when     {rung.when}"
    if rung.require:
        yield f"require  {rung.require}"
    if rung.confirm:
        yield f"confirm  {rung.confirm.probe}: {rung.confirm.ok or 'ok'}"
    if mends(action_of(rung.do)[0]):
        proof = "its own effect" if rung.kind is RungKind.CONTAIN else "the detectors clear"
        yield f"verify   {proof} for {format_duration(rung.verify.hold)} within {format_duration(rung.verify.within)}"
    if rung.undo:
        yield "undo     on no effect"
    if rung.return_:
        yield f"return   {_returned(rung.return_)}"
        for step in rung.return_.then:
            yield f"  then   {_then(step)}"
    killed = str(rung.on_interrupt) if mends(action_of(rung.do)[0]) else "the next rung"
    yield f"killed in the middle: {killed}{'; allowed in a storm' if rung.storm_safe else ''}"


def _returned(owed: Return) -> str:
    check = f" when {owed.when}" if owed.when else ""
    return f"a debt, due {format_duration(owed.after)} after success{check}{_shown(owed)} ({owed.autonomy})"


def _then(step: ReturnStep) -> str:
    check = f" when {step.when}" if step.when else ""
    action, _ = action_of(step.do)
    return f"{action}, {format_duration(step.after)} after the step before{check}{_shown(step)} ({step.autonomy})"


def _shown(step: ReturnStep) -> str:
    return f", paid once {step.confirm.ok or step.confirm.probe}" if step.confirm else ""


def _end(book: Playbook) -> str:
    if not book.ladder:
        return "at once; this one is mended by hand"
    return f"nothing helped, a guardrail refused, or not recovered {format_duration(book.deadline)} after detection"


def _guards(book: Playbook) -> str:
    guards = book.guardrails
    lock = format_duration(guards.failover_lock) if guards.failover_lock else ""
    rows = [
        ("cooldown, from the end of one climb to the next", format_duration(guards.cooldown)),
        ("budget, disruptive actions per action and target", str(guards.budget)),
        ("lock, shared with playbooks that name it", guards.lock or ""),
        ("a refusal that lifts by itself is waited for up to", format_duration(guards.wait_up_to)),
        ("scopes with an action in flight or in verification", str(guards.blast_radius.max_scopes)),
        ("target locked after a fail-over", lock),
        ("no verified recovery after detection: page", format_duration(book.deadline)),
        ("escalation", book.escalation),
    ]
    return "## Guardrails\n\n" + table(("guardrail", "value"), [row for row in rows if row[1]])


def _by_hand(book: Playbook, names: Mapping[str, object]) -> str:
    """The same changes as commands, for when the daemon stepped back or must not act."""
    head = (
        "## By hand\n\nFirst take the wheel: `fleetmend ack ID`, and, where the daemon still acts, "
        "`fleetmend pause --scope … --reason … --for 1h`. Write down what you do: `fleetmend note ID TEXT`. "
        "Hand back with `fleetmend resume ID`.\n"
    )
    if not book.ladder:
        return f"{head}\nNo command is shipped: find what is wrong with the archive, mend it, and check that writes arrive.\n"
    parts = [head]
    for rung in book.ladder:
        lines = [command(rung.do, names)]
        if rung.undo:
            lines += ["# take it back:", command(rung.undo, names)]
        if rung.return_:
            lines += ["# afterwards, when all is well:"]
            lines += [command(step.do, names) for step in rung.return_.steps]
        parts.append(f"### {rung.name}\n\n```sh\n" + "\n".join(lines) + "\n```\n")
    return "\n".join(parts)


def _lists() -> str:
    after = "".join(f"- {line}\n" for line in AFTERWARDS)
    prevent = "".join(f"- {line}\n" for line in PREVENTION)
    return f"## Afterwards\n\n{after}\n## Prevention\n\n{prevent}"
