"""Breaches of the books are rows, and how far the books are verified is kept."""

from migrations import steps

revision = "0016"
down_revision = "0015"

STEPS = ["1_breaches"]


def upgrade() -> None:
    steps.run("verification", *STEPS)


def downgrade() -> None:
    steps.run("verification", "down")
