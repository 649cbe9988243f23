"""The database's revision is read by gateway and workers."""

from migrations import steps

revision = "0013"
down_revision = "0012"

STEPS = ["1_read"]


def upgrade() -> None:
    steps.run("revision", *STEPS)


def downgrade() -> None:
    steps.run("revision", "down")
