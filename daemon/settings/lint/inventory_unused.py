"""Members that nobody looks for."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View


def _find(view: View) -> Iterator[Found]:
    scopes = [view.labels_of(one) for one in view.detectors]
    known = [labels for labels in scopes if labels is not None]
    if not scopes or len(known) < len(scopes):
        return  # a query's labels are known to its source only
    probes = {label for probe in view.settings.probes.values() for label in probe.labels}
    used = probes.union(*known)
    for label in view.settings.inventory.labels:
        if label not in used:
            text = f"no detector has {label} in by, so nobody misses a {label} that vanishes"
            yield Found(("inventory", label), text, "add it to by, or leave it out")


CHECK = Check(
    code="inventory-unused",
    title="An inventory of a label that no detector has",
    gravity=Gravity.WARNING,
    why="""`inventory` says who should be there, per label, so that a scope whose series vanish is missed. It works
through the detectors whose `by` holds the label (or probes whose address names it); without any it does nothing.""",
    fix="Check the label's name, or add it to `by` of a detector.",
    example="""inventory:
  providers: [navixy, teltonika]   # <--
detectors:
  silent:
    failure_mode: provider_outage
    signal: {increase: {of: packets_total, by: [provider], window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
""",
    better="""inventory:
  provider: [navixy, teltonika]
detectors:
  silent:
    failure_mode: provider_outage
    signal: {increase: {of: packets_total, by: [provider], window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
""",
    find=_find,
)
