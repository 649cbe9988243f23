"""Orders are found by the Request-Id that their client chose."""

from migrations import steps

revision = "0027"
down_revision = "0026"

STEPS = ["1_column"]


def upgrade() -> None:
    steps.run("request_ids", *STEPS)


def downgrade() -> None:
    steps.run("request_ids", "down")
