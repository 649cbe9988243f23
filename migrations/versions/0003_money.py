"""More ways for money: holds, payments that wait or expire, commands that end them, refunds, and commission."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"

FOLDER = Path(__file__).parent.parent / "sql" / "money"
STEPS = ["1_holds", "2_refunds", "3_guards", "4_grants", "5_commission", "6_currencies", "7_exchange", "8_adjustments"]


def upgrade() -> None:
    _execute(*STEPS)


def downgrade() -> None:
    _execute("down")


def _execute(*steps: str) -> None:
    cursor = op.get_bind().connection.cursor()
    for step in steps:
        cursor.execute((FOLDER / f"{step}.sql").read_text())
