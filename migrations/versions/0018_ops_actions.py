"""What ops users may do about one payment: end it, ask its bank, and resolve what its bank never answered."""

from migrations import steps

revision = "0018"
down_revision = "0017"

STEPS = ["1_commands", "2_inquiries", "3_resolutions"]


def upgrade() -> None:
    steps.run("ops_actions", *STEPS)


def downgrade() -> None:
    steps.run("ops_actions", "down")
