"""Lines of statements that need a person are found by an index."""

from migrations import steps

revision = "0031"
down_revision = "0030"

STEPS = ["1_index"]


def upgrade() -> None:
    steps.run("open_exceptions", *STEPS)


def downgrade() -> None:
    steps.run("open_exceptions", "down")
