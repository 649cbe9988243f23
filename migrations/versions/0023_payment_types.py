"""Webhook endpoints ask for the events of some types of payments."""

from migrations import steps

revision = "0023"
down_revision = "0022"

STEPS = ["1_payment_types"]


def upgrade() -> None:
    steps.run("payment_types", *STEPS)


def downgrade() -> None:
    steps.run("payment_types", "down")
