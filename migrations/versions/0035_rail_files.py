"""Which files were written for a bank, and which of its files were read."""

from migrations import steps

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    steps.run("rail_files", "1_files")


def downgrade() -> None:
    steps.run("rail_files", "down")
