"""What a client lets merchants take, quotes for either use, and proposals of adjustments that are withdrawn."""

from migrations import steps

revision = "0004"
down_revision = "0003"

STEPS = ["1_charge_limits", "2_quotes", "3_adjustments", "4_plans"]


def upgrade() -> None:
    steps.run("limits", *STEPS)


def downgrade() -> None:
    steps.run("limits", "down")
