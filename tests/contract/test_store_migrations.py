"""A fresh database and an upgraded one are equal, on every engine."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from config.scope import WHOLE
from daemon.errors import StoreSick
from daemon.incidents.change import Change
from daemon.store import schema, tables
from daemon.store.engine import place
from daemon.store.store import Store
from tests.fakes import rows


def shape(connection: Connection) -> dict[str, Any]:
    """Everything a schema promises, by table."""
    seen = inspect(connection)
    return {
        table: {
            "columns": [(c["name"], repr(c["type"]), c["nullable"]) for c in seen.get_columns(table)],
            "key": seen.get_pk_constraint(table)["constrained_columns"],
            "indexes": sorted((i["name"] or "", i["column_names"]) for i in seen.get_indexes(table)),
        }
        for table in sorted(seen.get_table_names())
    }


def test_an_upgraded_database_equals_a_fresh_one(store: Store, request: pytest.FixtureRequest) -> None:
    with store._engine.connect() as connection:
        fresh = shape(connection)
    other: str = request.getfixturevalue("url")
    if "postgresql" in other:
        other = request.getfixturevalue("postgres_server").url()
    engine = create_engine(place(other if "postgresql" in other else "sqlite://").url)
    with engine.begin() as connection:
        schema.upgrade(connection)
        assert schema.current(connection) == schema.HEAD
        assert shape(connection) == fresh
    engine.dispose()


def test_the_head_of_the_code_is_the_head_of_the_scripts() -> None:
    settings = Config()
    settings.set_main_option("script_location", "daemon/store/migrations")
    settings.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(settings).get_heads() == [schema.HEAD]


def test_migrating_again_changes_nothing(store: Store) -> None:
    with store.write() as uow:
        uow.timeline.append([rows.event()])
    store.migrate()
    assert store.last_seq() == 1


def test_an_older_database_keeps_its_rows_through_the_upgrade(store: Store) -> None:
    with store.write() as uow:
        uow.checkpoints.save({("silent", WHOLE): [1]})
        uow.apply(Change(deliveries=(rows.delivery("p"),)))
    with store._engine.begin() as connection:
        tables.rollups.drop(connection)
        tables.drills.drop(connection)
        for index, column in (("provider", "provider_id"), ("look", "look_at"), ("try", "tried_at")):
            connection.execute(text(f"DROP INDEX deliveries_by_{index}"))
            connection.execute(text(f"ALTER TABLE deliveries DROP COLUMN {column}"))
        connection.execute(tables.revision.update().values(version_num="0001"))
    store.migrate()
    with store.read() as uow:
        assert uow.rollups.load() == ()
        assert uow.drills.newest() == ()
        assert uow.deliveries.of("po-1") == (rows.delivery("p", version=1),)
        assert uow.checkpoints.load() == {("silent", WHOLE): [1]}


def test_a_database_of_a_newer_version_is_left_alone(store: Store) -> None:
    with store._engine.begin() as connection:
        connection.execute(tables.revision.update().values(version_num="9999"))
    with pytest.raises(StoreSick, match="cannot be upgraded"):
        store.migrate()


def test_a_migration_that_fails_leaves_nothing_behind(url: str) -> None:
    with Store.open(url) as store:
        store.migrate()
        with store._engine.begin() as connection:
            connection.execute(text("DROP TABLE alembic_version"))
            connection.execute(text("DROP TABLE incidents"))
            connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
            before = shape(connection)
        with pytest.raises(StoreSick):  # `runs` exists already, after `incidents` was made
            store.migrate()
        with store._engine.connect() as connection:
            assert shape(connection) == before


def test_a_store_that_needs_no_upgrade_never_loads_alembic() -> None:
    program = (
        "import sys; from daemon.store.store import Store; Store.open(':memory:').close();"
        "sys.exit('alembic' in sys.modules or 'sqlalchemy.orm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
