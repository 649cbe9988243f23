"""Ops take what needs a person, write notes, and see how old the backlog was."""

from migrations import steps

revision = "0037"
down_revision = "0036"

STEPS = ["1_assignments", "2_backlog", "3_notes"]


def upgrade() -> None:
    steps.run("assignments", *STEPS)


def downgrade() -> None:
    steps.run("assignments", "down")
