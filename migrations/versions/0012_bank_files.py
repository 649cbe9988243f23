"""What banks' files say: days of execution, creditor references and ids of orders."""

from migrations import steps

revision = "0012"
down_revision = "0007"

STEPS = ["1_orders"]


def upgrade() -> None:
    steps.run("bank_files", *STEPS)


def downgrade() -> None:
    steps.run("bank_files", "down")
