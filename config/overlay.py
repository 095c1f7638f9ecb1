"""Lays configuration trees over one another by name, and settles `enabled: false`, `rungs:` and unset keys.

- Maps merge deeply, lists and scalars replace. A key set to nothing (`corroborate:`) unsets what lies below it.
- Where a map names one of several alternatives (`signal: {ratio: …}`), naming another replaces the first.
- `enabled: false` removes an entry of a named map.
- `rungs: {NAME: {…}}` in a playbook is laid over the rung of that name in its ladder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from config.problems import did_you_mean
from config.yamlfile import Node, Path

Report = Callable[[Path, Node, str, str], None]
"""(path, node whose place to report, problem, hint)."""

NAMED = frozenset({
    "telemetry", "inbox", "detectors", "probes", "managers", "playbooks", "people", "teams", "channels", "schedules",
    "escalation",
})  # fmt: skip
"""The sections that hold entries by name."""

_ONE_ACTION = frozenset({"do", "undo"})
"""Maps of exactly one action, whose kind another package may bring: another kind replaces it, whatever it is."""
_CONDITIONS = frozenset({"above", "below", "equals"})
_SECRET = frozenset({"env", "file"})
_PROBES = frozenset({"http", "tcp", "tls", "dns"})
_SIGNALS = frozenset({
    "rate", "increase", "ratio", "share_over", "quantile", "gauge", "age", "growth", "burn_rate", "peers", "probe", "promql",
    "baseline",
})  # fmt: skip
_ALTERNATIVES: dict[str | int, frozenset[str]] = {
    "signal": _SIGNALS,
    "notify": frozenset({"statuspage", "webhook", "slack"}),
    "job": frozenset({"awx", "rundeck"}),
    "service": frozenset({"restart", "stop", "start", "scale"}),
    "fire": _CONDITIONS,
    "clear": _CONDITIONS,
    "corroborate": frozenset({"any", "all"}),
}
_ENTRY_DEPTH = 2
_PAYLOAD = "json"
"""What an action sends: nothing in it is unset, null is a value there."""


def overlay(base: Node, over: Node, path: Path = ()) -> Node:
    """`over` laid on `base`; places are those of the tree each key was last set in."""
    if over.value is None and len(path) == 1 and isinstance(base.value, dict):
        return base  # a section header with nothing under it changes nothing
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    kept = dict(base.value)
    for loser in _replaced_alternatives(kept.keys(), over.value.keys(), path):
        del kept[loser]
    for key, child in over.value.items():
        kept[key] = overlay(kept[key], child, (*path, key)) if key in kept else child
    return Node(kept, over.file, over.line)


def settle(tree: Node, report: Report) -> Node:
    """The tree as the sections read it: rungs laid over, disabled entries and unset keys gone."""
    if not isinstance(tree.value, dict):
        return tree
    sections: dict[str, Node] = {}
    for name, section in tree.value.items():
        settled = section
        if name == "playbooks" and isinstance(section.value, dict):
            entries = {key: _with_rungs(child, (name, key), report) for key, child in section.value.items()}
            settled = Node(entries, section.file, section.line)
        if name in NAMED and isinstance(settled.value, dict):
            settled = Node(_enabled_only(settled.value, (name,), report), section.file, section.line)
        if settled.value is not None:
            sections[name] = _without_unset(settled)
    return Node(sections, tree.file, tree.line)


def _replaced_alternatives(base: Iterable[str], over: Iterable[str], path: Path) -> set[str]:
    base, over = set(base), set(over)
    group = _ALTERNATIVES.get(path[-1], frozenset()) if path else frozenset()
    if path and path[-1] in _ONE_ACTION and _PAYLOAD not in path:
        group = frozenset(base | over)
    elif path[:1] == ("probes",) and len(path) == _ENTRY_DEPTH:
        group = _PROBES
    elif base | over <= _SECRET:
        group = _SECRET
    named = over & group
    return (base & group) - named if named else set()


def _enabled_only(entries: dict[str, Node], path: Path, report: Report) -> dict[str, Node]:
    kept: dict[str, Node] = {}
    for name, entry in entries.items():
        if not isinstance(entry.value, dict) or "enabled" not in entry.value:
            kept[name] = entry
            continue
        enabled = entry.value["enabled"]
        if not isinstance(enabled.value, bool):
            report(
                (*path, name, "enabled"),
                enabled,
                "expected true or false",
                "enabled: false removes the entry",
            )
        elif enabled.value:
            rest = {key: child for key, child in entry.value.items() if key != "enabled"}
            kept[name] = Node(rest, entry.file, entry.line)
    return kept


def _with_rungs(playbook: Node, path: Path, report: Report) -> Node:
    if not isinstance(playbook.value, dict) or "rungs" not in playbook.value:
        return playbook
    rest = {key: child for key, child in playbook.value.items() if key != "rungs"}
    changes, ladder = playbook.value["rungs"], rest.get("ladder")
    path = (*path, "rungs")
    if not isinstance(changes.value, dict):
        report(
            path,
            changes,
            "expected a map from rung names to what changes",
            "write rungs: {NAME: {autonomy: auto}}",
        )
    elif ladder is None or not isinstance(ladder.value, list):
        report(
            path,
            changes,
            "this playbook has no ladder to change",
            "rungs change a ladder of the pack or another file",
        )
    else:
        rungs = _named_rungs(ladder.value)
        for name, change in changes.value.items():
            if name in rungs:
                rungs[name] = overlay(rungs[name], change, (*path, name))
            else:
                hint = did_you_mean(name, rungs) or f"its rungs are {', '.join(rungs)}"
                report((*path, name), change, f"no rung is named {name!r}", hint)
        kept = _enabled_only(rungs, (*path[:-1], "ladder"), report)
        rest["ladder"] = Node([*kept.values()], ladder.file, ladder.line)
    return Node(rest, playbook.file, playbook.line)


def _named_rungs(ladder: list[Node]) -> dict[str, Node]:
    """The rungs by name, in order; one without a name or with a name used before keeps a place of its own."""
    rungs: dict[str, Node] = {}
    for index, rung in enumerate(ladder):
        name = rung.child("name")
        key = name.value if name is not None and isinstance(name.value, str) else None
        rungs[key if key is not None and key not in rungs else f"[{index}]"] = rung
    return rungs


def _without_unset(node: Node) -> Node:
    if isinstance(node.value, dict):
        kept = {
            key: child if key == _PAYLOAD else _without_unset(child)
            for key, child in node.value.items()
            if child.value is not None
        }
        return Node(kept, node.file, node.line)
    if isinstance(node.value, list):
        return Node([_without_unset(child) for child in node.value], node.file, node.line)
    return node
