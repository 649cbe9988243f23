"""What the gateway may see to say what is wrong; what everybody might write by default, taken back."""

from migrations import steps

revision = "0012"
down_revision = "0011"

STEPS = ["1_status", "2_public"]


def upgrade() -> None:
    steps.run("watching", *STEPS)


def downgrade() -> None:
    steps.run("watching", "down", "down_public")
