"""The refunds and returns of a payment are found without looking into every month."""

from migrations import steps

revision = "0041"
down_revision = "0040"

STEPS = ["1_children"]


def upgrade() -> None:
    steps.run("children", *STEPS)


def downgrade() -> None:
    steps.run("children", "down")
