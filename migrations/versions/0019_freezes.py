"""Ops freeze wallets and users, and thaw them."""

from migrations import steps

revision = "0019"
down_revision = "0018"

STEPS = ["1_freezes"]


def upgrade() -> None:
    steps.run("freezes", *STEPS)


def downgrade() -> None:
    steps.run("freezes", "down")
