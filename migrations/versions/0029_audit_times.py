"""An entry of the audit log has the time at which it is written."""

from migrations import steps

revision = "0029"
down_revision = "0028"

STEPS = ["1_clock"]


def upgrade() -> None:
    steps.run("audit_times", *STEPS)


def downgrade() -> None:
    steps.run("audit_times", "down")
