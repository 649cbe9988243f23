"""What a client lets merchants take, quotes for either use, and proposals of adjustments that are withdrawn."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"

FOLDER = Path(__file__).parent.parent / "sql" / "limits"
STEPS = ["1_charge_limits", "2_quotes", "3_adjustments", "4_plans"]


def upgrade() -> None:
    _execute(*STEPS)


def downgrade() -> None:
    _execute("down")


def _execute(*steps: str) -> None:
    cursor = op.get_bind().connection.cursor()
    for step in steps:
        cursor.execute((FOLDER / f"{step}.sql").read_text())
