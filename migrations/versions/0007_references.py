"""References: that of a payment which FAILED is free for the next."""

from migrations import steps

revision = "0007"
down_revision = "0006"

STEPS = ["1_references"]


def upgrade() -> None:
    steps.run("references", *STEPS)


def downgrade() -> None:
    steps.run("references", "down")
