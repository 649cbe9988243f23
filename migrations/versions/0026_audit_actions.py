"""Entries of the audit log are found by their action."""

from migrations import steps

revision = "0026"
down_revision = "0025"

STEPS = ["1_index"]


def upgrade() -> None:
    steps.run("audit_actions", *STEPS)


def downgrade() -> None:
    steps.run("audit_actions", "down")
