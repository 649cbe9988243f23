"""Claims on payouts whose outcome was lost on our side: releases them, or checks that they are still held."""

from collections.abc import Sequence

from sqlalchemy import Connection

from models import pg_arrays
from models.payout import LOCK_INSTRUCTIONS, Payout

GIVE_BACK = """
UPDATE instructions i
SET attempts = i.attempts - 1, due_at = now(), submitted_at = CASE WHEN taken.was_submitted THEN i.submitted_at END,
    rail = CASE WHEN taken.was_submitted THEN i.rail END
FROM unnest(%s::uuid[], %s::timestamptz[], %s::boolean[]) AS taken (payment_id, lease, was_submitted)
WHERE i.payment_id = taken.payment_id AND i.due_at = taken.lease AND i.answer IS NULL
"""


def give_back(connection: Connection, claimed: Sequence[Payout]) -> None:
    """Undo claims that certainly did not reach the bank, so that they do not count; claims of others are kept."""
    if claimed:
        ids = pg_arrays.plain(payout.payment_id for payout in claimed)
        connection.exec_driver_sql(LOCK_INSTRUCTIONS, (ids,))
        leases = pg_arrays.quoted(payout.lease for payout in claimed)
        submitted = pg_arrays.plain(payout.submitted_at is not None for payout in claimed)
        connection.exec_driver_sql(GIVE_BACK, (ids, leases, submitted))


def still_claimed(connection: Connection, claimed: Sequence[Payout]) -> set[str]:
    """Payments whose claim has neither ended nor been taken over."""
    rows = connection.exec_driver_sql(
        "SELECT payment_id::text FROM instructions i JOIN unnest(%s::uuid[], %s::timestamptz[]) AS taken (id, lease)"
        " ON i.payment_id = taken.id AND i.due_at = taken.lease",
        (
            pg_arrays.plain(payout.payment_id for payout in claimed),
            pg_arrays.quoted(payout.lease for payout in claimed),
        ),
    )
    return {row[0] for row in rows}
