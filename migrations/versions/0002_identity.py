"""Identity: what users prove themselves by, their tokens' kinds, commands, and who did what."""

from migrations import steps

revision = "0002"
down_revision = "0001"

STEPS = ["1_tables", "2_guards", "3_grants"]


def upgrade() -> None:
    steps.run("identity", *STEPS)


def downgrade() -> None:
    steps.run("identity", "down")
