"""What banks' files say: days of execution, creditor references, ids of orders; what of a statement is set aside."""

from migrations import steps

revision = "0009"
down_revision = "0008"

STEPS = ["1_orders", "2_statements"]


def upgrade() -> None:
    steps.run("bank_files", *STEPS)


def downgrade() -> None:
    steps.run("bank_files", "down")
