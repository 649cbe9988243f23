"""Identity: what users prove themselves by, their tokens' kinds, commands, and who did what."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"

FOLDER = Path(__file__).parent.parent / "sql" / "identity"
STEPS = ["1_tables", "2_guards", "3_grants"]


def upgrade() -> None:
    _execute(*STEPS)


def downgrade() -> None:
    _execute("down")


def _execute(*steps: str) -> None:
    cursor = op.get_bind().connection.cursor()
    for step in steps:
        cursor.execute((FOLDER / f"{step}.sql").read_text())
