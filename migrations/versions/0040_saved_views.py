"""Ops and auditors save lists of the console under names."""

from migrations import steps

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    steps.run("saved_views", "1_saved_views")


def downgrade() -> None:
    steps.run("saved_views", "down")
