"""What `alembic` says: a line for each migration, and one line when it cannot go on."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy.engine import make_url

from embedded import home as homes
from embedded.home import CHECKOUT
from embedded.postgres import DATABASE, OWNER_ROLE, SUPERUSER, Postgres
from tests.builders import new_id
from tests.support import memory, past_the_triggers


@pytest.fixture
def bare(postgres: Postgres) -> Iterator[str]:
    """The name of a database in which nothing has been migrated."""
    name = f"bare_{new_id().replace('-', '')}"
    postgres.create_database(name)
    yield name
    postgres.drop_database(name)


def alembic(url: str, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "alembic", "-x", f"url={url}", *(words or ("upgrade", "head"))]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def refusal(url: str) -> str:
    """The one line with which it refuses."""
    refused = alembic(url)
    assert refused.returncode != 0
    assert refused.stderr.count("\n") == 1, refused.stderr
    return refused.stderr


def test_each_migration_has_a_line(postgres: Postgres, bare: str):
    revisions = sorted(path.name[:4] for path in (CHECKOUT / "migrations" / "versions").glob("*.py"))
    up = alembic(postgres.url(bare)).stdout.splitlines()
    ran = [line.partition(":")[0] for line in up]
    assert sorted(ran) == [f"migrated to {revision}" for revision in revisions]
    assert alembic(postgres.url(bare)).stdout == ""
    down = alembic(postgres.url(bare), "downgrade", "-1").stdout
    assert down.startswith(f"{ran[-1].replace('migrated to', 'went back from')}: ")


def test_data_of_a_newer_version_is_told_from_an_older_checkout(postgres: Postgres, bare: str):
    assert alembic(postgres.url(bare)).returncode == 0
    past_the_triggers(postgres, bare, "UPDATE alembic_version SET version_num = '9999'")
    line = refusal(postgres.url(bare))
    assert "checkout is older than its data: the database is at revision 9999" in line
    assert "Can't locate" not in line


def test_a_migration_that_fails_says_why_without_its_statement(postgres: Postgres, bare: str):
    past_the_triggers(postgres, bare, "CREATE TABLE currencies (wrong integer)")
    line = refusal(postgres.url(bare))
    assert 'relation "currencies" already exists' in line
    assert "CREATE TABLE" not in line
    assert len(line) < 400


def test_a_role_that_cannot_migrate_is_told_which_statement_lacks(postgres: Postgres, bare: str):
    past_the_triggers(postgres, bare, "CREATE ROLE modest LOGIN PASSWORD 'modest'")
    url = make_url(postgres.url(bare)).set(username="modest", password="modest")
    try:
        line = refusal(url.render_as_string(hide_password=False))
    finally:
        past_the_triggers(postgres, SUPERUSER, "DROP ROLE modest")
    assert "may not make roles" in line
    assert "does not own the database" in line
    assert "docs/settings.md" in line


def test_the_two_statements_of_the_docs_are_enough():
    """On a PostgreSQL of one's own, in which nothing is prepared."""
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


def test_a_database_that_cannot_be_reached_is_one_line():
    assert "cannot be used: " in refusal("postgresql+psycopg2://nobody:x@/nowhere?host=/nonexistent")
