"""A merchant's month is read from sums of each quarter of an hour."""

from migrations import steps

revision = "0044"
down_revision = "0043"

STEPS = ["1_merchant_sums"]


def upgrade() -> None:
    steps.run("merchant_sums", *STEPS)


def downgrade() -> None:
    steps.run("merchant_sums", "down")
