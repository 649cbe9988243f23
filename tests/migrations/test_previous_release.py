"""The release before a migration runs on the schema that the migration made, as it does while a deployment rolls.

From 0048 on each migration is run under the commit before it, which knows all but it; the newest one always, the others
in the long form (`make faults`). A copy without history has no such commit: there it is this code that runs.
"""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.home import CHECKOUT, temporary_directory
from models import invariants
from models.preflight import REVISIONS
from models.session import transaction
from tests.builders import Builder, scalar
from tests.stacks import UNLIMITED
from tests.support import Database, migrate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FIRST = "0048"
MIGRATIONS = [number for number in REVISIONS if number >= FIRST]
SETTINGS = UNLIMITED | {"PREFLIGHT_DURABILITY": "false"}
RUN_SECONDS_MAX = 540
KINDS = "SELECT array_agg(DISTINCT type ORDER BY type) FROM payments WHERE state = 'COMPLETED'"


def of_this_run() -> list[str]:
    """The migrations that are tried by this run."""
    return MIGRATIONS if os.environ.get("FAULTS") == "full" else MIGRATIONS[-1:]


def git(*arguments: str) -> str:
    """What git says about this checkout; empty if it cannot say."""
    done = subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout.strip()


def commit_before(migration: str) -> str:
    """The commit before that which added the migration, or the last one if it is in none yet; empty without history."""
    if git("rev-parse", "--show-toplevel") != str(CHECKOUT):
        return ""
    [file] = (CHECKOUT / "migrations" / "versions").glob(f"{migration}_*.py")
    added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", str(file))
    return git("rev-parse", "--verify", "--quiet", f"{added}^" if added else "HEAD")


@pytest.fixture(params=of_this_run())
def migration(request: pytest.FixtureRequest) -> str:
    """The number of a migration."""
    return request.param


@pytest.fixture
def code_before(migration: str) -> Iterator[Path]:
    """A folder with the code of the commit before the migration; every user may read it, as the stack's do."""
    commit = commit_before(migration)
    if not commit:
        yield CHECKOUT
        return
    with temporary_directory() as folder:
        git("archive", f"--output={folder / 'code.tar'}", commit)
        code = folder / "code"
        with tarfile.open(folder / "code.tar") as archive:
            archive.extractall(code, filter="data")
        code.chmod(0o755)
        assert list((code / "migrations" / "versions").glob(f"{migration}_*.py")) == []
        yield code


def test_the_release_before_runs_on_the_new_schema(
    empty_database: Database, migration: str, code_before: Path, redis_url: str
) -> None:
    migrate(empty_database.owner, migration)
    script = CHECKOUT / "tests" / "migrations" / "other_code.py"
    done = subprocess.run(
        [sys.executable, "-P", script, empty_database.owner, redis_url],
        cwd=code_before,
        env=os.environ | SETTINGS | {"PYTHONPATH": str(code_before)},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    migrate(empty_database.owner)
    world = Builder.of(empty_database)
    with transaction(world.worker) as connection:
        assert "\n".join(invariants.violations(connection)) == ""
        kinds = scalar(connection, KINDS)
    assert {world.state(id) for id in json.loads(done.stdout)} == {"COMPLETED"}
    assert kinds == ["adjustment", "charge", "deposit", "exchange", "refund", "transfer", "withdrawal"]
