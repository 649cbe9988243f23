"""Operations are chained by hash, batch by batch."""

from migrations import steps

revision = "0015"
down_revision = "0014"

STEPS = ["1_ledger_batches"]


def upgrade() -> None:
    steps.run("chain", *STEPS)


def downgrade() -> None:
    steps.run("chain", "down")
