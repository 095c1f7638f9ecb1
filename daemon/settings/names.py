"""Every name in a template or condition is one that will be there when it is filled in.

What the shipped pack reads of `vars` and of a scope may be missing in a first configuration: its rungs are refused
then, with the reason. So labels and variables are checked in what people write themselves, names everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from config.loader import Loaded
from config.probes import ProbeKind, ProbeSpec
from config.problems import did_you_mean
from config.section import FailureMode
from config.templates import Expression, Template, TemplateError
from daemon.settings.model import Settings
from detectors.rule import signal_of
from detectors.spec import DetectorSpec
from remediations.spec import Playbook

Path = tuple[str | int, ...]

PACKED = "pack/"
IN_ADDRESS = frozenset({"scope", "vars"})
IN_PLAYBOOK = IN_ADDRESS | {"facts", "fault_since", "incident", "changes"}
OF_ANSWER: Mapping[ProbeKind, frozenset[str]] = {
    "http": frozenset({"elapsed", "status", "body"}),
    "tcp": frozenset({"elapsed"}),
    "tls": frozenset({"elapsed", "days_left"}),
    "dns": frozenset({"elapsed", "addresses"}),
    "link": frozenset({"elapsed", "body"}),
}
"""What a condition on an answer sees beside `scope` and `vars`."""
_ASKED_FOR = re.compile(r"\bis\s+(not\s+)?defined\b|\|\s*(default|d)\b")


def check_names(loaded: Loaded[Settings]) -> None:
    """Record every name that nothing defines."""
    settings = loaded.model
    by_mode = {mode: _labels_of_mode(settings, mode) for mode in FailureMode}
    anywhere = frozenset().union(*by_mode.values())
    for name, probe in settings.probes.items():
        _probe(loaded, ("probes", name), probe, anywhere)
    for name, detector in settings.detectors.items():
        for index, witness in enumerate(detector.corroborate.witnesses if detector.corroborate else ()):
            kind = "any" if detector.corroborate and detector.corroborate.any_ else "all"
            place = ("detectors", name, "corroborate", kind, index, "unit")
            labels = by_mode[detector.failure_mode]
            _Place(loaded, place, IN_ADDRESS, labels, ()).texts(witness.unit)
    for name, playbook in settings.playbooks.items():
        labels = by_mode[playbook.failure_mode] | playbook.match.keys()
        _playbook(loaded, ("playbooks", name), playbook, labels)


class _Place:
    """Where texts stand, and what they may name there."""

    def __init__(
        self,
        loaded: Loaded[Settings],
        path: Path,
        names: frozenset[str],
        labels: Collection[str],
        facts: Collection[str],
    ) -> None:
        self._loaded, self._path, self._names = loaded, path, names
        self._entries = {"scope": labels, "facts": facts, "vars": loaded.model.vars.keys()}

    def texts(self, data: Any, *below: str | int) -> None:
        """Check every template in nested data."""
        if isinstance(data, Mapping):
            for key, value in data.items():
                self.texts(value, *below, str(key))
        elif isinstance(data, list | tuple):
            for index, value in enumerate(data):
                self.texts(value, *below, index)
        elif isinstance(data, str) and "{" in data:
            try:
                self._check(Template(data), below)
            except TemplateError:
                return  # told where the text is validated

    def condition(self, text: str | None, *below: str | int) -> None:
        """Check a condition."""
        if text is not None:
            self._check(Expression(text), below)

    def _check(self, compiled: Template | Expression, below: Path) -> None:
        path = (*self._path, *below)
        for name in sorted(compiled.names - self._names):
            self._told(path, f"nothing is named {name!r} here", name, self._names)
        packed = self._loaded.where(path)[0].startswith(PACKED)
        if _ASKED_FOR.search(compiled.text):
            return
        for name, entry in sorted(compiled.reads):
            known = self._entries.get(name)
            if known is None or name not in self._names or entry in known or (packed and name != "facts"):
                continue
            self._told(path, f"{name}.{entry} is defined nowhere", entry, known)

    def _told(self, path: Path, text: str, name: str, known: Collection[str]) -> None:
        listed = ", ".join(sorted(known)[:20])
        self._loaded.problem(
            path,
            text,
            did_you_mean(name, known) or (f"known are {listed}" if listed else "there is none here"),
        )


def _probe(loaded: Loaded[Settings], path: Path, probe: ProbeSpec, labels: Collection[str]) -> None:
    question = getattr(probe, probe.kind)
    _Place(loaded, (*path, probe.kind), IN_ADDRESS, labels, ()).texts(question.model_dump())
    _Place(loaded, path, IN_ADDRESS | OF_ANSWER[probe.kind], labels, ()).condition(probe.ok, "ok")


def _playbook(loaded: Loaded[Settings], path: Path, playbook: Playbook, labels: Collection[str]) -> None:
    place = _Place(loaded, path, IN_PLAYBOOK, labels, playbook.diagnose)
    for dotted, do in playbook.actions():
        place.texts(do, *(int(part) if part.isdigit() else part for part in dotted.split(".")))
    for index, rung in enumerate(playbook.ladder):
        place.condition(rung.when, "ladder", index, "when")
        place.condition(rung.require, "ladder", index, "require")
        if rung.return_ is not None:
            place.condition(rung.return_.when, "ladder", index, "return", "when")
            for number, step in enumerate(rung.return_.then):
                place.condition(step.when, "ladder", index, "return", "then", number, "when")
    for dotted, check in playbook.checks():
        probe = loaded.model.probes.get(check.probe or "")
        if probe is not None:
            names = IN_ADDRESS | OF_ANSWER[probe.kind]
            where = (*path, *(int(part) if part.isdigit() else part for part in dotted.split(".")))
            _Place(loaded, where, names, labels, playbook.diagnose).condition(check.ok, "ok")


def _labels_of_mode(settings: Settings, mode: FailureMode) -> frozenset[str]:
    """The labels that a scope of this failure mode may carry."""
    found = {
        label
        for entry in settings.inbox.alertmanager.map
        if entry.failure_mode is mode
        for label in entry.scope
    }
    for detector in settings.detectors.values():
        if detector.failure_mode is mode:
            found |= {*_labels_of(settings, detector)}
    roll_up = settings.topology.roll_up.get(mode)
    return frozenset(found | ({roll_up.by} if roll_up is not None else set()))


def _labels_of(settings: Settings, detector: DetectorSpec) -> Iterator[str]:
    baseline = detector.signal.baseline
    signal = baseline.signal if baseline is not None else detector.signal
    if signal.promql is not None:
        # Which labels an answer has only the source knows; those it can have are named in the query.
        yield from re.findall(r"[A-Za-z_][A-Za-z0-9_]*", signal.promql)
    elif signal.probe is not None:
        probe = settings.probes.get(signal.probe)
        yield from probe.labels if probe is not None else ()
    else:
        yield from signal_of(signal).by
