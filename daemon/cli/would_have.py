"""What a configuration would have done, as JSON and as a table: incidents, the rungs they came to, the pages they owed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from daemon.cli import output
from daemon.cli.show import scope_text, when
from daemon.clock import rfc3339
from daemon.replay.would import (
    NOT_KNOWABLE,
    Came,
    Considered,
    Page,
    PastIncident,
    Refusal,
    Would,
    told_in_words,
)

MOST_ROWS = 200
"""Incidents in the table; `--json` has them all."""


def document(would: Would) -> dict[str, Any]:
    """The keys `incidents` and `would` of the command's JSON."""
    pages = [page for incident in would.incidents for page in incident.pages]
    return {
        "incidents": [_incident(one) for one in would.incidents],
        "would": {
            "actions": would.actions.total(),
            "actions_by_autonomy": dict(sorted(would.actions.items())),
            "refusals": would.refusals.total(),
            "refusals_by_gate": dict(sorted(would.refusals.items())),
            "pages": len(pages),
            "pages_by_level": {f"L{level}": count for level, count in sorted(would.pages.items())},
            "pages_unless": sum(bool(page.unless) for page in pages),
            "not_knowable": would.not_knowable,
            "until": rfc3339(would.until),
            "troubles": list(would.troubles),
        },
    }


def _incident(one: PastIncident) -> dict[str, Any]:
    incident = one.incident
    return {
        "id": incident.id,
        "failure_mode": incident.failure_mode,
        "scope": dict(incident.scope),
        "severity": incident.severity,
        "from": rfc3339(one.since),
        "until": None if one.until is None else rfc3339(one.until),
        "state": str(incident.state),
        "suppressed_by": one.suppressed_by,
        "contained": False,
        "flapped": incident.flapping,
        "storm": one.held_by_storm,
        "playbook": incident.playbook,
        "would_act": [_considered(rung) for rung in one.considered],
        "would_page": [_page(page) for page in one.pages],
        "digest": one.digest,
    }


def _considered(one: Considered) -> dict[str, Any]:
    return {
        "rung": one.rung,
        "kind": one.kind,
        "action": one.action,
        "targets": list(one.targets),
        "at": rfc3339(one.at),
        "autonomy": one.autonomy,
        "answer": str(one.came),
        "reason": one.reason,
        "refusals": [_refusal(refusal) for refusal in one.refusals],
        "depends_on": list(one.depends_on),
        "verdict": NOT_KNOWABLE if one.came in {Came.WOULD_RUN, Came.NOT_KNOWABLE} else None,
    }


def _refusal(one: Refusal) -> dict[str, Any]:
    return {
        "gate": one.gate,
        "reason": one.reason,
        "until": None if one.until is None else rfc3339(one.until),
    }


def _page(one: Page) -> dict[str, Any]:
    return {
        "level": one.level,
        "at": rfc3339(one.at),
        "why": one.why,
        "to": list(one.to),
        "unless": list(one.unless),
    }


def tables(would: Would) -> Iterator[Text | Table]:
    """For people."""
    yield Text()
    if would.incidents:
        table = output.table("incident from", "until", "what", "would have done", "paged")
        for one in would.incidents[:MOST_ROWS]:
            table.add_row(*row(one))
        yield table
    left = len(would.incidents) - MOST_ROWS
    if left > 0:
        yield Text(f"… and {left} more incidents; --json has them all", style="dim")
    yield Text(f"\n{told_in_words(would)}", style="bold")
    for trouble in would.troubles:
        yield Text(trouble, style="yellow")


def row(one: PastIncident) -> tuple[str, str, str, str, str]:
    """From, until, what, would have done, paged."""
    incident = one.incident
    notes = [
        *(["flapping"] if incident.flapping else []),
        *([f"explained by {one.suppressed_by}"] if one.suppressed_by else []),
        *(["in a storm"] if one.held_by_storm else []),
    ]
    what = f"{incident.failure_mode} {scope_text(dict(incident.scope))}"
    return (
        when(one.since),
        when(one.until),
        f"{what} ({'; '.join([incident.severity, *notes])})",
        one.done_in_words or "-",
        one.paged_in_words or "-",
    )
