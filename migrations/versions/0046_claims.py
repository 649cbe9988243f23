"""Due payments are claimed in the order of their index, whatever the statistics say."""

from migrations import steps

revision = "0046"
down_revision = "0045"

STEPS = ["1_due"]


def upgrade() -> None:
    steps.run("claims", *STEPS)


def downgrade() -> None:
    steps.run("claims", "down")
