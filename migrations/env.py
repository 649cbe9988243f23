"""Runs the migrations as the owner, one at a time: a second `alembic upgrade` waits for the first."""

import sys

import psycopg2
from alembic import context
from alembic.runtime.migration import MigrationInfo
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

import logs
import settings
from models import preflight

MIGRATION_LOCK = 0x6D696772
"""Session lock of the process that migrates this database ("migr" in ASCII)."""


def migrate(connection: Connection) -> None:
    """Run what Alembic was asked for, and print a line for each migration; ends with one line if it cannot."""
    if found := preflight.owner_faults(connection):
        raise SystemExit("alembic: this database cannot be migrated: " + "; ".join(found))
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()
    done: list[str] = []

    def note(*, step: MigrationInfo, **_: object) -> None:
        revision = step.up_revision
        done.append(revision.revision)
        how = "migrated to" if step.is_upgrade else "went back from"
        context.config.print_stdout("%s %s: %s", how, revision.revision, revision.doc)

    context.configure(
        connection=connection, target_metadata=None, transaction_per_migration=True, on_version_apply=note
    )
    refuse_newer_data(context.get_context().get_current_heads())
    try:
        with context.begin_transaction():
            context.run_migrations()
    except (DBAPIError, psycopg2.Error) as error:
        after = f"after {done[-1]}" if done else "the first one to run"
        raise SystemExit(f"alembic: a migration failed ({after}), and left nothing: {words(error)}") from error


def refuse_newer_data(revisions: tuple[str, ...]) -> None:
    """End with one line if the database is at a revision that is not in this checkout."""
    scripts = ScriptDirectory.from_config(context.config)
    for revision in revisions:
        try:
            scripts.get_revision(revision)
        except CommandError as error:
            raise SystemExit(
                f"alembic: this checkout is older than its data: the database is at revision {revision}, and the "
                f"newest here is {scripts.get_current_head()}. Check out the version that made the data, or a newer one"
            ) from error


def words(error: DBAPIError | psycopg2.Error) -> str:
    """What the driver said, without the statement: that is a whole file of SQL."""
    return " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())


options = context.get_x_argument(as_dictionary=True)
if options.get("logs") == "json":
    logs.take_over()
    context.config.stdout = sys.stdout
url = options.get("url") or settings.load().database_url
if url is None:
    raise SystemExit("alembic: DATABASE_URL is not set and no embedded stack is running here")

try:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        migrate(connection)
except DBAPIError as error:
    raise SystemExit(f"alembic: the database cannot be used: {words(error)}") from error
