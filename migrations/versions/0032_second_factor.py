"""Users prove a second factor by one-time passwords or recovery codes."""

from migrations import steps

revision = "0032"
down_revision = "0031"

STEPS = ["1_tables"]


def upgrade() -> None:
    steps.run("second_factor", *STEPS)


def downgrade() -> None:
    steps.run("second_factor", "down")
