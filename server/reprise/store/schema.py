"""How a database gets to the schema of the code.

Invariant: Alembic, and SQLAlchemy with it, which take 0.2 s each to load, are loaded only for a database that has
another version: this module is imported when that is known. A new database is made from the tables at once; a test
holds that the migrations lead to the same.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from reprise.domain.errors import FailedPrecondition
from reprise.store.schema_version import SCHEMA_VERSION, VERSION_TABLE
from reprise.store.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"


def stored_version(connection: Connection) -> str:
    """ "" where there is no schema yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    row = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).first()
    return "" if row is None else str(row[0])


def bring_up_to_date(connection: Connection) -> None:
    """Within the caller's transaction. Errors: FailedPrecondition for a schema newer than the code."""
    version = stored_version(connection)
    if version == SCHEMA_VERSION:
        return
    if not version:
        metadata.create_all(connection)
        connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) PRIMARY KEY)"))
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('{SCHEMA_VERSION}')"))
        return
    migrate(connection, version)


def migrate(connection: Connection, version: str, to: str = SCHEMA_VERSION) -> None:
    """Replay the migrations from `version` ("": from nothing) to another, else the newest."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(MIGRATIONS))
    known = {script.revision for script in scripts.walk_revisions()}
    if version and version not in known:
        raise FailedPrecondition(
            f"the store has schema {version}, which is newer than this release knows ({SCHEMA_VERSION})",
            {"schema": version},
        )
    context = MigrationContext.configure(
        connection,
        opts={"fn": lambda revision, _: scripts._upgrade_revs(to, revision), "script": scripts},
    )
    with Operations.context(context):
        context.run_migrations()
