"""Webhook endpoints that fail are found without reading all of them."""

from migrations import steps

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    steps.run("failing_endpoints", "1_index")


def downgrade() -> None:
    steps.run("failing_endpoints", "down")
