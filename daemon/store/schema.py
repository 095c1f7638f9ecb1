"""Bring a database to the schema of this version. Alembic is imported only when there is something to upgrade."""

from __future__ import annotations

from importlib.resources import files

from sqlalchemy import Connection, inspect, select

from daemon.errors import StoreSick
from daemon.store import tables

HEAD = "0004"
"""The newest migration; a test keeps it equal to the scripts."""


def migrate(connection: Connection) -> None:
    """Make the tables of a fresh database, or upgrade an older one, inside the caller's transaction."""
    found = current(connection)
    if found == HEAD:
        return
    if found is None and not set(inspect(connection).get_table_names()) & set(tables.METADATA.tables):
        tables.METADATA.create_all(connection)
        connection.execute(tables.revision.insert().values(version_num=HEAD))
        return
    upgrade(connection)


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run the migrations up to `to` on the caller's transaction."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    settings = Config()
    settings.set_main_option(
        "script_location", str(files("daemon.store").joinpath("migrations")).replace("%", "%%")
    )
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    try:
        command.upgrade(settings, to)
    except CommandError as error:
        raise StoreSick(f"store cannot be upgraded: {error}") from error


def current(connection: Connection) -> str | None:
    """The migration a database stands at; None when it has none."""
    if not inspect(connection).has_table(tables.revision.name):
        return None
    return connection.execute(select(tables.revision.c.version_num)).scalar()
