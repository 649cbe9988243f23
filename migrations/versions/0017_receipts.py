"""Signed checkpoints over the chain of batches."""

from migrations import steps

revision = "0017"
down_revision = "0016"

STEPS = ["1_checkpoints"]


def upgrade() -> None:
    steps.run("receipts", *STEPS)


def downgrade() -> None:
    steps.run("receipts", "down")
