"""Tries of webhooks keep the beginning of the answer, and why they failed in words."""

from migrations import steps

revision = "0024"
down_revision = "0023"

STEPS = ["1_answers"]


def upgrade() -> None:
    steps.run("answers", *STEPS)


def downgrade() -> None:
    steps.run("answers", "down")
