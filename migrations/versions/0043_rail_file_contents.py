"""What is in the files that a rail wrote and read."""

from migrations import steps

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    steps.run("rail_file_contents", "1_contents")


def downgrade() -> None:
    steps.run("rail_file_contents", "down")
