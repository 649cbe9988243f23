"""Sessions end when they were not used for as long as their sign-in said."""

from migrations import steps

revision = "0030"
down_revision = "0029"

STEPS = ["1_column"]


def upgrade() -> None:
    steps.run("session_limits", *STEPS)


def downgrade() -> None:
    steps.run("session_limits", "down")
