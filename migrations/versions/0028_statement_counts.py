"""The lines of a bank statement are counted when they change, not when they are read."""

from migrations import steps

revision = "0028"
down_revision = "0027"

STEPS = ["1_counts"]


def upgrade() -> None:
    steps.run("statement_counts", *STEPS)


def downgrade() -> None:
    steps.run("statement_counts", "down")
