"""The closing of a month is read from sums of each day and quarter of an hour."""

from migrations import steps

revision = "0045"
down_revision = "0044"

STEPS = ["1_period_sums"]


def upgrade() -> None:
    steps.run("period_sums", *STEPS)


def downgrade() -> None:
    steps.run("period_sums", "down")
