"""`demo --json`: one row per variant, as the contract has it."""

from __future__ import annotations

from daemon.desk.models import Model


class RowAction(Model):
    rung: str
    action: str
    outcome: str | None
    verdict: str | None


class Row(Model):
    """`detected_after_s`: from the break to the finding, null when there was none. `paged`: the levels that were told."""

    failure_mode: str
    variant: str
    detected_after_s: float | None
    actions: list[RowAction]
    forbidden_actions: list[str]
    verdict: str
    resolved_by: str | None
    paged: list[int]


class Rows(Model):
    rows: list[Row]
