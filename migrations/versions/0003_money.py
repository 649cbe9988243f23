"""More ways for money: holds, payments that wait or expire, commands that end them, refunds, and commission."""

from migrations import steps

revision = "0003"
down_revision = "0002"

STEPS = ["1_holds", "2_refunds", "3_guards", "4_grants", "5_commission", "6_currencies", "7_exchange", "8_adjustments"]


def upgrade() -> None:
    steps.run("money", *STEPS)


def downgrade() -> None:
    steps.run("money", "down")
