"""Several people act for a merchant, each as a user of their own."""

from migrations import steps

revision = "0034"
down_revision = "0033"

STEPS = ["1_memberships", "2_invitations"]


def upgrade() -> None:
    steps.run("members", *STEPS)


def downgrade() -> None:
    steps.run("members", "down")
