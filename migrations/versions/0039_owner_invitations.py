"""Ops invite an owner of a merchant who has none that is active."""

from migrations import steps

revision = "0039"
down_revision = "0037"


def upgrade() -> None:
    steps.run("owner_invitations", "1_by_ops")


def downgrade() -> None:
    steps.run("owner_invitations", "down")
