"""Preflight checks of the database before a process handles money."""

from pathlib import Path

import structlog
from sqlalchemy import Connection, NullPool

from models import replica
from models.session import open_engine, transaction

log = structlog.get_logger("preflight")

VERSION_MIN = 15
"""Of PostgreSQL."""

REVISIONS = sorted(path.name[:4] for path in (Path(__file__).parents[1] / "migrations" / "versions").glob("[0-9]*.py"))
"""Revisions that this code knows, in their order, which is that of their numbers."""

DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")
"""Settings without which PostgreSQL may lose what it has confirmed."""

MUST_HAVE = {
    "worker": {
        ("accounts", "balance", "UPDATE"),
        ("payments", "state", "UPDATE"),
        ("operations", "amount", "INSERT"),
    },
    "gateway": {("payments", "amount", "INSERT"), ("idempotency_keys", "key", "INSERT")},
}
MUST_NOT_HAVE = {
    "worker": {
        ("operations", "amount", "UPDATE"),
        ("payments", "amount", "UPDATE"),
        ("events", "name", "INSERT"),
    },
    "gateway": {
        *(
            (table, column, "UPDATE")
            for table, column in [
                ("accounts", "balance"),
                ("accounts", "held"),
                ("accounts", "floor"),
                ("payments", "state"),
                ("payments", "amount"),
                ("operations", "amount"),
            ]
        ),
        ("operations", "amount", "INSERT"),
        ("payments", "state", "INSERT"),
        ("accounts", "balance", "INSERT"),
    },
}

PUBLIC_WRITE_FUNCTIONS = (
    *("lo_creat", "lo_create", "lo_from_bytea", "lo_import", "lo_export", "lo_open", "lo_put"),
    *("lo_truncate", "lo_truncate64", "lo_unlink", "lowrite", "pg_logical_emit_message"),
)
"""Built-in functions of PostgreSQL that write, and that every role may call by default."""
REVOKE_COMMAND = "psql -U postgres -d payments -f migrations/sql/watching/2_public.sql"
"""Revokes them; needs a superuser, which the owner need not be."""


def check_or_exit(url: str, process: str, *, durability: bool) -> None:
    """Exit with a message in one line if this process must not start; raises DatabaseUnavailable if it cannot check."""
    with transaction(open_engine(url, NullPool, "payments-preflight")) as connection:
        found = faults(connection, process, durability=durability)
        writable = publicly_writable(connection)
        revision = _revision(connection)
    if found:
        raise SystemExit(f"{process} refuses to start: " + "; ".join(found))
    if revision and revision not in REVISIONS:
        log.warning(
            "this code is older than its database",
            database=revision,
            code=REVISIONS[-1],
            command="start the version that migrated the database, or a newer one",
        )
    if writable:
        log.warning("every role can write large objects or messages", functions=writable, command=REVOKE_COMMAND)


def check_replica(url: str, replica_url: str) -> None:
    """Log which replica there is and how far it is behind; exits if it is no copy of the database at `url`.

    Raises DatabaseUnavailable if that is away; a replica that is away is only logged.
    """
    with transaction(open_engine(url, NullPool, "payments-preflight")) as connection:
        state = replica.look(connection, replica_url, 0)
    if state.state == "other":
        raise SystemExit(f"gateway refuses to start: {state.name} is no replica of its database (DATABASE_REPLICA_URL)")
    (log.warning if state.fault else log.info)("reads go to a replica", **state._asdict())


def publicly_writable(connection: Connection) -> list[str]:
    """Those of PUBLIC_WRITE_FUNCTIONS that every role can call."""
    rows = connection.exec_driver_sql(
        "SELECT DISTINCT proname::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
        " AND proname = ANY(%s) AND has_function_privilege('public', oid, 'EXECUTE') ORDER BY 1",
        (list(PUBLIC_WRITE_FUNCTIONS),),
    )
    return list(rows.scalars())


def owner_faults(connection: Connection) -> list[str]:
    """Reasons why this role cannot migrate this database; empty if it can."""
    found = _version_faults(connection)
    is_super, may_make_roles, owns, encoding = connection.exec_driver_sql(
        "SELECT rolsuper, rolcreaterole, pg_has_role(datdba, 'USAGE'), pg_encoding_to_char(encoding)"
        " FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()"
    ).one()
    if not (is_super or may_make_roles):
        found.append("its role may not make roles (CREATE ROLE … LOGIN CREATEROLE)")
    if not (is_super or owns):
        found.append("its role does not own the database (CREATE DATABASE … OWNER …)")
    if encoding != "UTF8":
        found.append(f"its encoding is {encoding}, not UTF8")
    return [f"{fault}, see docs/settings.md" for fault in found]


def _version_faults(connection: Connection) -> list[str]:
    version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10000
    return [] if version >= VERSION_MIN else [f"PostgreSQL {VERSION_MIN} or newer is needed, this is {version}"]


def _revision(connection: Connection) -> str | None:
    """Revision of the database; None if this role cannot read it."""
    may_read = "SELECT has_column_privilege(to_regclass('alembic_version'), 'version_num', 'SELECT')"
    if not connection.exec_driver_sql(may_read).scalar_one():
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _revision_faults(connection: Connection) -> list[str]:
    """A fault if the database lacks migrations of this code; a newer database is only logged as a warning."""
    revision = _revision(connection)
    if revision not in REVISIONS[:-1]:
        return []
    return [
        f"the database is older than this code, at revision {revision} instead of {REVISIONS[-1]}: alembic upgrade head"
    ]


NEWEST_EVENT = """
SELECT (SELECT xact FROM events ORDER BY xact DESC, sequence DESC LIMIT 1)::text,
       pg_snapshot_xmax(pg_current_snapshot())::text
"""
"""Number of the transaction that wrote the newest event, and the next number to be assigned."""
EPOCH_BITS = 32
"""Bits of a transaction number below its epoch, which are those that rows store."""


def counter_faults(connection: Connection) -> list[str]:
    """A fault if a restored dump has higher transaction numbers than new ones get: readers would miss new events."""
    newest, next_one = connection.exec_driver_sql(NEWEST_EVENT).one()
    if newest is None or int(newest) < int(next_one):
        return []
    return [
        f"a dump was restored: its events are of transactions up to {newest}, and new ones begin at {next_one}."
        f" Stop PostgreSQL and run pg_resetwal --epoch={(int(newest) >> EPOCH_BITS) + 1} -D $PGDATA"
        " (docs/settings.md, Restoring a dump)"
    ]


def faults(connection: Connection, process: str, *, durability: bool) -> list[str]:
    """Faults, one text each; empty if this process ("worker" or "gateway") may start.

    `durability` requires a server that cannot lose a commit.
    """
    found = _version_faults(connection)
    if connection.exec_driver_sql("SELECT to_regclass('payments') IS NULL").scalar_one():
        return [*found, "the database is not migrated: alembic upgrade head"]
    found += _revision_faults(connection)
    if durability:
        found += [
            f"PostgreSQL runs with {name} = {value}"
            for name in DURABILITY
            if (value := connection.exec_driver_sql(f"SHOW {name}").scalar_one()) in {"off", "local"}
        ]
    role, is_super = connection.exec_driver_sql(
        "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user"
    ).one()
    if is_super:
        found.append(f"role {role} is a superuser")
    for wanted, column_rights in ((True, MUST_HAVE[process]), (False, MUST_NOT_HAVE[process])):
        for table, column, right in sorted(column_rights):
            has = connection.exec_driver_sql(
                "SELECT has_column_privilege(%s, %s, %s)", (table, column, right)
            ).scalar_one()
            if has is not wanted:
                found.append(f"role {role} may {'not ' if wanted else ''}{right} {table}.{column}")
    return found + counter_faults(connection)
