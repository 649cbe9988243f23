"""Waiting and telling: events for whom they concern, what was tried in vain, webhooks, cheaper checks."""

from migrations import steps

revision = "0006"
down_revision = "0005"

STEPS = ["1_events", "2_attempts", "3_webhooks", "4_checks"]


def upgrade() -> None:
    steps.run("telling", *STEPS)


def downgrade() -> None:
    steps.run("telling", "down")
