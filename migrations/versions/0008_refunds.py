"""What was given back of each payment, counted by the database and bounded by what was taken."""

from migrations import steps

revision = "0008"
down_revision = "0007"

STEPS = ["1_totals"]


def upgrade() -> None:
    steps.run("refunds", *STEPS)


def downgrade() -> None:
    steps.run("refunds", "down")
