"""The key under which a payment was accepted is found by the payment."""

from migrations import steps

revision = "0042"
down_revision = "0041"

STEPS = ["1_index"]


def upgrade() -> None:
    steps.run("accepting_requests", *STEPS)


def downgrade() -> None:
    steps.run("accepting_requests", "down")
