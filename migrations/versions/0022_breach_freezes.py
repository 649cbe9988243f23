"""A worker freezes wallets whose books are broken."""

from migrations import steps

revision = "0022"
down_revision = "0021"

STEPS = ["1_freezes"]


def upgrade() -> None:
    steps.run("breach_freezes", *STEPS)


def downgrade() -> None:
    steps.run("breach_freezes", "down")
