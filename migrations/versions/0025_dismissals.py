"""Lines of statements are expected until the bank's value date, and put aside with a category."""

from migrations import steps

revision = "0025"
down_revision = "0024"

STEPS = ["1_dismissals"]


def upgrade() -> None:
    steps.run("dismissals", *STEPS)


def downgrade() -> None:
    steps.run("dismissals", "down")
