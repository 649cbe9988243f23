"""Retries of many payments: a selection holds what ops were shown, a batch carries it out."""

from migrations import steps

revision = "0014"
down_revision = "0013"

STEPS = ["1_tables", "2_guards"]


def upgrade() -> None:
    steps.run("batches", *STEPS)


def downgrade() -> None:
    steps.run("batches", "down")
