"""Months of payments and operations may be archived, and come back."""

from migrations import steps

revision = "0048"
down_revision = "0047"

STEPS = ["1_archive"]


def upgrade() -> None:
    steps.run("archive", *STEPS)


def downgrade() -> None:
    steps.run("archive", "down")
