"""The key under which a payment was accepted is found by the payment; imbalances and counts are kept."""

from migrations import steps

revision = "0042"
down_revision = "0041"

STEPS = ["1_keys", "2_imbalances", "3_counts"]


def upgrade() -> None:
    steps.run("console_heads", *STEPS)


def downgrade() -> None:
    steps.run("console_heads", "down")
