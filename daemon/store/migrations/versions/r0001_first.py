"""The first schema.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _at(name: str, *, null: bool = True) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=null)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, SERIAL, autoincrement=True, nullable=False)


def _version() -> sa.Column[int]:
    return sa.Column("version", sa.Integer(), nullable=False)


def upgrade() -> None:
    """Make every table and index."""
    _decisions()
    _record()
    _inbox()
    _daemon()
    for name, table, columns in INDEXES:
        op.create_index(name, table, list(columns))


def _decisions() -> None:
    op.create_table(
        "incidents",
        _text("id"),
        _text("failure_mode"),
        _text("scope"),
        _text("severity"),
        _text("state"),
        _at("detected_at", null=False),
        _at("resolved_at"),
        _at("quiet_until"),
        _version(),
        _text("doc"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "runs",
        _text("id"),
        _text("playbook", null=True),
        _text("state"),
        _at("due_at"),
        _text("attempt", null=True),
        sa.Column("acted", sa.Boolean(), nullable=False),
        _at("ended_at"),
        _version(),
        _text("doc"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "escalations",
        _text("id"),
        _text("state"),
        _at("next_at"),
        _version(),
        _text("doc"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "attempts",
        _text("key"),
        _text("incident"),
        _text("phase"),
        _text("action"),
        sa.Column("disruptive", sa.Boolean(), nullable=False),
        _at("intended_at", null=False),
        _at("started_at"),
        _text("outcome", null=True),
        _text("verdict", null=True),
        _version(),
        _text("doc"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "debts",
        _text("id"),
        _text("incident"),
        _text("state"),
        _at("opened_at", null=False),
        _at("due_at"),
        _version(),
        _text("doc"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "deliveries",
        _text("key"),
        _text("incident"),
        _text("state"),
        _at("due_at", null=False),
        _at("created_at", null=False),
        _version(),
        _text("doc"),
        sa.PrimaryKeyConstraint("key"),
    )


def _record() -> None:
    op.create_table(
        "timeline",
        _number("seq"),
        _text("incident"),
        _at("at", null=False),
        _text("kind"),
        _text("doc"),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mutes",
        _text("id"),
        _text("kind"),
        _at("starts_at", null=False),
        _at("ends_at"),
        _at("lifted_at"),
        _text("doc"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "locks",
        _text("target"),
        _at("until", null=False),
        _text("doc"),
        sa.PrimaryKeyConstraint("target"),
    )


def _inbox() -> None:
    op.create_table(
        "orders",
        _number("id"),
        _at("at", null=False),
        _text("state"),
        _text("doc"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alerts",
        _number("id"),
        _at("at", null=False),
        _text("inbox"),
        _text("note"),
        _text("doc"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "pipeline_changes",
        _number("id"),
        _at("at", null=False),
        _text("doc"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )


def _daemon() -> None:
    op.create_table(
        "checkpoints",
        _text("detector"),
        _text("scope"),
        _text("doc"),
        sa.PrimaryKeyConstraint("detector", "scope"),
    )
    op.create_table(
        "lease",
        _text("name"),
        _text("holder"),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        _at("claimed_at", null=False),
        _at("renewed_at", null=False),
        sa.PrimaryKeyConstraint("name"),
    )


INDEXES = (
    ("incidents_by_end", "incidents", ("resolved_at",)),
    ("incidents_by_scope", "incidents", ("failure_mode", "scope", "detected_at")),
    ("incidents_by_state", "incidents", ("state",)),
    ("incidents_by_time", "incidents", ("detected_at", "id")),
    ("runs_by_playbook", "runs", ("playbook", "ended_at")),
    ("runs_by_state", "runs", ("state", "due_at")),
    ("escalations_by_due", "escalations", ("next_at",)),
    ("attempts_by_action", "attempts", ("action", "intended_at")),
    ("attempts_by_incident", "attempts", ("incident",)),
    ("attempts_by_outcome", "attempts", ("outcome",)),
    ("debts_by_incident", "debts", ("incident",)),
    ("debts_by_state", "debts", ("state", "due_at")),
    ("deliveries_by_due", "deliveries", ("state", "due_at")),
    ("deliveries_by_incident", "deliveries", ("incident",)),
    ("deliveries_by_time", "deliveries", ("created_at",)),
    ("timeline_by_incident", "timeline", ("incident", "seq")),
    ("timeline_by_time", "timeline", ("at",)),
    ("mutes_by_time", "mutes", ("lifted_at", "ends_at")),
    ("orders_by_state", "orders", ("state", "id")),
    ("alerts_by_state", "alerts", ("inbox", "id")),
    ("pipeline_changes_by_time", "pipeline_changes", ("at",)),
)
