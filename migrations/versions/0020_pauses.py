"""Ops pause posting of a type, a merchant, a currency or a rail."""

from migrations import steps

revision = "0020"
down_revision = "0019"

STEPS = ["1_pauses"]


def upgrade() -> None:
    steps.run("pauses", *STEPS)


def downgrade() -> None:
    steps.run("pauses", "down")
