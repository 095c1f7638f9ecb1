"""The tables. Typed columns hold what is queried; `doc` holds every other field of the row as JSON (orjson).

`daemon/store/migrations` builds the same tables step by step; a test keeps both equal. Instants are unix seconds,
scopes are kept as `config.scope.scope_key` writes them.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

METADATA = MetaData()

SERIAL = BigInteger().with_variant(Integer(), "sqlite")
"""Numbers given by the engine; SQLite numbers only plain INTEGER keys."""


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _at(name: str, *, null: bool = True) -> Column[float]:
    return Column(name, Double, nullable=null)


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _version() -> Column[int]:
    return Column("version", Integer, nullable=False)


def _doc() -> Column[str]:
    return Column("doc", Text, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, SERIAL, primary_key=True, autoincrement=True)


incidents = Table(
    "incidents",
    METADATA,
    _key("id"),
    _text("failure_mode"),
    _text("scope"),
    _text("severity"),
    _text("state"),
    _at("detected_at", null=False),
    _at("resolved_at"),
    _at("quiet_until"),
    _version(),
    _doc(),
    Index("incidents_by_state", "state"),
    Index("incidents_by_scope", "failure_mode", "scope", "detected_at"),
    Index("incidents_by_time", "detected_at", "id"),
    Index("incidents_by_end", "resolved_at"),
)

runs = Table(
    "runs",
    METADATA,
    _key("id"),
    _text("playbook", null=True),
    _text("state"),
    _at("due_at"),
    _text("attempt", null=True),
    Column("acted", Boolean, nullable=False),
    _at("ended_at"),
    _version(),
    _doc(),
    Index("runs_by_state", "state", "due_at"),
    Index("runs_by_playbook", "playbook", "ended_at"),
)

escalations = Table(
    "escalations",
    METADATA,
    _key("id"),
    _text("state"),
    _at("next_at"),
    _version(),
    _doc(),
    Index("escalations_by_due", "next_at"),
)

attempts = Table(
    "attempts",
    METADATA,
    _key("key"),
    _text("incident"),
    _text("phase"),
    _text("action"),
    Column("disruptive", Boolean, nullable=False),
    _at("intended_at", null=False),
    _at("started_at"),
    _text("outcome", null=True),
    _text("verdict", null=True),
    _version(),
    _doc(),
    Index("attempts_by_incident", "incident"),
    Index("attempts_by_outcome", "outcome"),
    Index("attempts_by_action", "action", "intended_at"),
)

debts = Table(
    "debts",
    METADATA,
    _key("id"),
    _text("incident"),
    _text("state"),
    _at("opened_at", null=False),
    _at("due_at"),
    _version(),
    _doc(),
    Index("debts_by_incident", "incident"),
    Index("debts_by_state", "state", "due_at"),
)

deliveries = Table(
    "deliveries",
    METADATA,
    _key("key"),
    _text("incident"),
    _text("state"),
    _at("due_at", null=False),
    _at("created_at", null=False),
    _version(),
    _doc(),
    # Added later, so they come last.
    _text("provider_id"),
    _at("look_at"),
    _at("tried_at"),
    Index("deliveries_by_due", "state", "due_at"),
    Index("deliveries_by_incident", "incident"),
    Index("deliveries_by_time", "created_at"),
    Index("deliveries_by_provider", "provider_id"),
    Index("deliveries_by_look", "look_at"),
    Index("deliveries_by_try", "tried_at"),
)

timeline = Table(
    "timeline",
    METADATA,
    _number("seq"),
    _text("incident"),
    _at("at", null=False),
    _text("kind"),
    _doc(),
    Index("timeline_by_incident", "incident", "seq"),
    Index("timeline_by_time", "at"),
    # A sequence number is never given twice, also after the oldest rows are pruned.
    sqlite_autoincrement=True,
)

mutes = Table(
    "mutes",
    METADATA,
    _key("id"),
    _text("kind"),
    _at("starts_at", null=False),
    _at("ends_at"),
    _at("lifted_at"),
    _doc(),
    Index("mutes_by_time", "lifted_at", "ends_at"),
)

locks = Table("locks", METADATA, _key("target"), _at("until", null=False), _doc())

orders = Table(
    "orders",
    METADATA,
    _number("id"),
    _at("at", null=False),
    _text("state"),
    _doc(),
    Index("orders_by_state", "state", "id"),
    sqlite_autoincrement=True,
)

alerts = Table(
    "alerts",
    METADATA,
    _number("id"),
    _at("at", null=False),
    # Inbox states: new, done, dead. An alert that could not be handled stays here with the error in `note`.
    _text("inbox"),
    _text("note"),
    _doc(),
    Index("alerts_by_state", "inbox", "id"),
    sqlite_autoincrement=True,
)

pipeline_changes = Table(
    "pipeline_changes",
    METADATA,
    _number("id"),
    _at("at", null=False),
    _doc(),
    Index("pipeline_changes_by_time", "at"),
    sqlite_autoincrement=True,
)

checkpoints = Table("checkpoints", METADATA, _key("detector"), _key("scope"), _doc())

rollups = Table(
    "rollups",
    METADATA,
    _key("detector"),
    Column("hour", Double, primary_key=True),
    # What the detector measured then: hours of another quantity are not compared with.
    _text("signal"),
    _doc(),
    Index("rollups_by_hour", "hour"),
)

drills = Table(
    "drills",
    METADATA,
    _key("id"),
    _text("playbook"),
    # Which schedule it belongs to; empty when a person asked.
    _text("plan"),
    _at("at", null=False),
    _text("state"),
    _version(),
    _doc(),
    Index("drills_by_state", "state"),
    Index("drills_by_plan", "plan", "at"),
    Index("drills_by_time", "at", "id"),
)

lease = Table(
    "lease",
    METADATA,
    _key("name"),
    _text("holder"),
    Column("epoch", BigInteger, nullable=False),
    _at("claimed_at", null=False),
    _at("renewed_at", null=False),
)

revision = Table(
    "alembic_version",
    METADATA,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""The migration this schema stands at; written by Alembic, and by us when a fresh database is made."""
