"""Detectors whose findings nobody mends, and labels that the playbook would need."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from config.problems import Gravity
from config.templates import Expression, Template, TemplateError
from daemon.settings.lint.check import Check, Found, View, Watched
from detectors.modes import MODES
from remediations.spec import Playbook, Rung

_SOFT = re.compile(
    r"scope\.(\w+)\s+is\s+(?:not\s+)?defined|scope\.(\w+)\s*\|\s*(?:default|d)\b|scope\.get\(\s*['\"](\w+)['\"]"
)
"""Where a template itself provides for a scope without the label."""


def _unanswered(view: View) -> Iterator[Found]:
    for one in view.detectors:
        mode, labels = one.spec.failure_mode, view.labels_of(one)
        if not any(book.failure_mode == mode for book in view.settings.playbooks.values()):
            text = f"no playbook answers {mode}: people are paged, nothing is tried"
            yield Found(
                (*one.path, "failure_mode"), text, "add a playbook, with an empty ladder if that is meant"
            )
        elif labels is not None and not labels and MODES[mode].scope:
            text = f"its findings have no label, and {mode} without {' or '.join(MODES[mode].scope)} is never mended"
            yield Found(
                (*one.path, "signal"),
                text,
                f"people are paged at once; for action add by: [{MODES[mode].scope[0]}]",
            )
        elif labels is not None and not _fitting(view, one, labels):
            needed = sorted({label for book in _of_mode(view, one) for label in book.match})
            text = f"every playbook for {mode} matches on {', '.join(needed)}, which its scopes lack or never have"
            yield Found((*one.path, "signal"), text, f"add {needed[0]} to by, or a playbook without match")


def _of_mode(view: View, one: Watched) -> list[Playbook]:
    books = view.settings.playbooks.values()
    return [book for book in books if book.failure_mode == one.spec.failure_mode]


def _fitting(view: View, one: Watched, labels: frozenset[str]) -> list[tuple[str, Playbook]]:
    """Playbooks that some scope of the detector can match."""
    found = []
    for name, book in view.settings.playbooks.items():
        if book.failure_mode == one.spec.failure_mode and _can_match(book, one, labels):
            found.append((name, book))
    return found


def _can_match(book: Playbook, one: Watched, labels: frozenset[str]) -> bool:
    for label, wanted in book.match.items():
        values = (wanted,) if isinstance(wanted, str) else wanted
        conditions = [matcher for matcher in one.rule.signal.where if matcher.label == label]
        if label not in labels or not any(all(m.accepts(value) for m in conditions) for value in values):
            return False
    return True


def _missing(view: View) -> Iterator[Found]:
    for one in view.detectors:
        labels = view.labels_of(one)
        if labels is None or (not labels and MODES[one.spec.failure_mode].scope):
            continue
        for name, book in _fitting(view, one, labels):
            lacks = {rung.name: sorted(_needed(rung) - labels - book.match.keys()) for rung in book.ladder}
            lacks = {rung: names for rung, names in lacks.items() if names}
            if lacks:
                wanted = sorted({label for names in lacks.values() for label in names})
                text = f"playbook {name} needs the label {', '.join(wanted)} at {', '.join(lacks)}; its scopes lack it"
                hint = f"add {wanted[0]} to by, or give the rung a when that asks whether it is defined"
                yield Found((*one.path, "signal"), text, hint)


def _needed(rung: Rung) -> frozenset[str]:
    """Labels without which the rung's texts cannot be filled in, where the rung is reached at all."""
    guards = [text for text in (rung.when, rung.require) if text is not None]
    asked = {label for text in guards for label in _labels(text, expression=True)}
    returns = [step.do for step in rung.return_.steps] if rung.return_ else []
    texts = [*_texts(rung.do), *_texts(rung.undo or {}), *_texts(returns)]
    read = {label for text in texts for label in _labels(text, expression=False) - _soft(text)}
    for check in (rung.confirm, rung.effect):
        if check is not None and check.ok is not None:
            read |= _labels(check.ok, expression=True) - _soft(check.ok)
    return frozenset(read - asked)


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield str(key)
            yield from _texts(value)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _texts(item)


def _labels(text: str, *, expression: bool) -> frozenset[str]:
    try:
        return Expression(text).labels if expression else Template(text).labels
    except TemplateError:
        return frozenset()  # reported where actions and conditions are checked


def _soft(text: str) -> frozenset[str]:
    return frozenset(label for found in _SOFT.findall(text) for label in found if label)


UNANSWERED = Check(
    code="no-playbook",
    title="No playbook answers the detector",
    gravity=Gravity.WARNING,
    why="""An incident is answered by the playbook for its failure mode whose `match` fits its scope. Where there is
none, nothing is tried and people are paged at once. The same holds for findings without any label in a mode that is
mended place by place (a provider, a tier): they are taken for a fault of the whole, which no single repair fits.""",
    fix="Add a playbook for the failure mode, or the label that its playbooks match on to `by`.",
    example="""detectors:
  writes:
    failure_mode: storage_failure   # <--
    signal: {ratio: {of: write_errors_total, to: writes_total, by: [tier], window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    better="""detectors:
  writes:
    failure_mode: storage_failure
    signal: {ratio: {of: write_errors_total, to: writes_total, by: [tier], window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
playbooks:
  page-for-storage: {failure_mode: storage_failure, ladder: [], escalation: external}
""",
    find=_unanswered,
)

MISSING = Check(
    code="label-missing",
    title="A playbook names a label that the detector's scopes lack",
    gravity=Gravity.WARNING,
    why="""The texts of an action name the scope: `storage-writer-{{ scope.tier }}`. The scope's labels are those in
`by` of the detector that fired (for a probe: those that its address names). A label that is not there is an undefined
name, never an empty text, so the rung is refused when it is needed most. (A label that no detector of the failure mode
has at all is an error.) A rung whose `when` or `require` asks for the label is skipped instead, which is fine.""",
    fix='Add the label to `by`, or give the rung `when: "scope.LABEL is defined"`.',
    example="""detectors:
  writes:
    failure_mode: storage_failure
    signal: {ratio: {of: write_errors_total, to: writes_total, by: [host], window: 1m}}   # <--
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
  reads:
    failure_mode: storage_failure
    signal: {ratio: {of: read_errors_total, to: reads_total, by: [tier], window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
managers: {pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}}
playbooks:
  storage:
    failure_mode: storage_failure
    escalation: external
    ladder:
      - {name: restart, do: {service: {manager: pipeline, restart: "writer-{{ scope.tier }}"}}}
""",
    better="""detectors:
  writes:
    failure_mode: storage_failure
    signal: {ratio: {of: write_errors_total, to: writes_total, by: [tier], window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
  reads:
    failure_mode: storage_failure
    signal: {ratio: {of: read_errors_total, to: reads_total, by: [tier], window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
managers: {pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}}
playbooks:
  storage:
    failure_mode: storage_failure
    escalation: external
    ladder:
      - {name: restart, do: {service: {manager: pipeline, restart: "writer-{{ scope.tier }}"}}}
""",
    find=_missing,
)
