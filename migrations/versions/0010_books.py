"""Operations of what the same transaction completes alone, and ids of payments by clocks that are about right."""

from migrations import steps

revision = "0010"
down_revision = "0009"

STEPS = ["1_operations", "2_clocks"]


def upgrade() -> None:
    steps.run("books", *STEPS)


def downgrade() -> None:
    steps.run("books", "down")
