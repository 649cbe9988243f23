"""The shell uploads bank statements, matches lines, and is one of the two who agree on an adjustment."""

from migrations import steps

revision = "0033"
down_revision = "0032"

STEPS = ["1_statements", "2_adjustments"]


def upgrade() -> None:
    steps.run("shell", *STEPS)


def downgrade() -> None:
    steps.run("shell", "down")
