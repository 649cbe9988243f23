"""Many at once, and out to the bank: bulks, instructions to a bank, returns, and what a bank's statement says."""

from migrations import steps

revision = "0005"
down_revision = "0004"

STEPS = ["1_instructions", "2_bulks", "3_statements"]


def upgrade() -> None:
    steps.run("bank", *STEPS)


def downgrade() -> None:
    steps.run("bank", "down")
