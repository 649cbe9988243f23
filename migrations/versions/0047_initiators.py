"""Payments are found by who ordered them without an index entry for each transfer and charge."""

from migrations import steps

revision = "0047"
down_revision = "0046"

STEPS = ["1_index"]


def upgrade() -> None:
    steps.run("initiators", *STEPS)


def downgrade() -> None:
    steps.run("initiators", "down")
