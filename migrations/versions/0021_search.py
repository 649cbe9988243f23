"""Ops search by keys, references, last four characters, requests and the bank's references."""

from migrations import steps

revision = "0021"
down_revision = "0020"

STEPS = ["1_indexes"]


def upgrade() -> None:
    steps.run("search", *STEPS)


def downgrade() -> None:
    steps.run("search", "down")
