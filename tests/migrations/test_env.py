"""The output of `alembic`: a line for each migration, and one line when it fails."""

import os
import re
import subprocess

from sqlalchemy.engine import make_url

from embedded import fork_server
from embedded import home as homes
from embedded.home import CHECKOUT
from embedded.identity import invoker
from embedded.postgres import DATABASE, OWNER_ROLE, SUPERUSER, Postgres
from tests.support import Database, memory, past_the_triggers


def alembic(url: str, *arguments: str) -> subprocess.CompletedProcess:
    """`python -m alembic`, forked with its libraries imported."""
    argv = ["alembic", "-x", f"url={url}", *(arguments or ("upgrade", "head"))]
    wanted = fork_server.wanted(argv, CHECKOUT, dict(os.environ), invoker())
    return fork_server.running().run(wanted, seconds=300)


def refusal(url: str) -> str:
    """The one line that it prints when it fails."""
    refused = alembic(url)
    assert refused.returncode != 0
    assert refused.stderr.count("\n") == 1, refused.stderr
    return refused.stderr


def test_each_migration_prints_a_line(postgres: Postgres, empty_database: Database):
    revisions = sorted(path.name[:4] for path in (CHECKOUT / "migrations" / "versions").glob("*.py"))
    up = alembic(empty_database.owner).stdout.splitlines()
    ran = [line.partition(":")[0] for line in up]
    assert sorted(ran) == [f"migrated to {revision}" for revision in revisions]
    assert alembic(empty_database.owner).stdout == ""
    down = alembic(empty_database.owner, "downgrade", "-1").stdout
    assert down.startswith(f"{ran[-1].replace('migrated to', 'went back from')}: ")


def test_checkout_older_than_its_data_is_refused(postgres: Postgres, empty_database: Database):
    assert alembic(empty_database.owner).returncode == 0
    past_the_triggers(postgres, empty_database.name, "UPDATE alembic_version SET version_num = '9999'")
    line = refusal(empty_database.owner)
    assert "checkout is older than its data: the database is at revision 9999" in line
    assert "Can't locate" not in line


def test_failed_migration_prints_its_error_without_statement(postgres: Postgres, empty_database: Database):
    past_the_triggers(postgres, empty_database.name, "CREATE TABLE currencies (wrong integer)")
    line = refusal(empty_database.owner)
    assert 'relation "currencies" already exists' in line
    assert "CREATE TABLE" not in line
    assert len(line) < 400


def test_role_without_rights_gets_the_missing_statements(postgres: Postgres, empty_database: Database):
    past_the_triggers(postgres, empty_database.name, "CREATE ROLE limited LOGIN PASSWORD 'limited'")
    url = make_url(empty_database.owner).set(username="limited", password="limited")
    try:
        line = refusal(url.render_as_string(hide_password=False))
    finally:
        past_the_triggers(postgres, SUPERUSER, "DROP ROLE limited")
    assert "may not make roles" in line
    assert "does not own the database" in line
    assert "docs/settings.md" in line


def test_two_statements_of_the_docs_suffice_to_migrate():
    """On a new PostgreSQL without role or database."""
    block = (CHECKOUT / "docs" / "settings.md").read_text().partition("```sql\n")[2].partition("```")[0]
    statements = [line for line in block.splitlines() if line.startswith("CREATE")]
    assert len(statements) == 2
    password = re.search(r"PASSWORD '([^']+)'", block)[1]
    with homes.temporary(memory() or homes.SHARED) as home:
        server = Postgres(home, durable=False)
        server.start()
        try:
            for statement in (f"DROP DATABASE {DATABASE}", f"DROP ROLE {OWNER_ROLE}", *statements):
                server._execute(statement)
            done = alembic(server.url(password=password))
            assert done.returncode == 0, done.stderr
        finally:
            server.stop("immediate")


def test_unreachable_database_is_refused_in_one_line():
    assert "cannot be used: " in refusal("postgresql+psycopg2://unknown:x@/nowhere?host=/nonexistent")
