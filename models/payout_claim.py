"""Claims on payouts whose outcome was lost on our side: releases them, or checks that they are still held."""

from collections.abc import Sequence

from sqlalchemy import Connection

from models import pg_arrays
from models.payout import LOCK_INSTRUCTIONS, Payout

CLAIM = pg_arrays.Columns("claim", "payment_id uuid, lease timestamptz, was_submitted boolean")
HELD = pg_arrays.Columns("held", "payment_id uuid, lease timestamptz")

GIVE_BACK = f"""
UPDATE instructions i
SET attempts = i.attempts - 1, due_at = now(), submitted_at = CASE WHEN claim.was_submitted THEN i.submitted_at END,
    rail = CASE WHEN claim.was_submitted THEN i.rail END
FROM {CLAIM.unnest}
WHERE i.payment_id = claim.payment_id AND i.due_at = claim.lease AND i.answer IS NULL
"""


def give_back(connection: Connection, claimed: Sequence[Payout]) -> None:
    """Undo claims that certainly did not reach the bank, so that they do not count; claims of others are kept."""
    if claimed:
        ids = pg_arrays.plain(payout.payment_id for payout in claimed)
        connection.exec_driver_sql(LOCK_INSTRUCTIONS, (ids,))
        submitted = [payout.submitted_at is not None for payout in claimed]
        connection.exec_driver_sql(GIVE_BACK, CLAIM.parameters(claimed, was_submitted=submitted))


def still_claimed(connection: Connection, claimed: Sequence[Payout]) -> set[str]:
    """Payments whose claim has neither ended nor been taken over."""
    rows = connection.exec_driver_sql(
        f"SELECT payment_id::text FROM instructions i JOIN {HELD.unnest} USING (payment_id) WHERE due_at = lease",
        HELD.parameters(claimed),
    )
    return {row[0] for row in rows}
