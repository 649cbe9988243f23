"""Phone numbers: short ones that can be dialled, too."""

from migrations import steps

revision = "0011"
down_revision = "0010"

STEPS = ["1_phone_numbers"]


def upgrade() -> None:
    steps.run("phone_numbers", *STEPS)


def downgrade() -> None:
    steps.run("phone_numbers", "down")
