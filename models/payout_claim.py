"""Claims on instructions whose outcome was lost on our side: given back, or found to be still ours."""

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
    """Undo a claim of which the bank surely heard nothing: it does not count. What others hold stays theirs."""
    if claimed:
        ids = pg_arrays.plain(one.payment_id for one in claimed)
        connection.exec_driver_sql(LOCK_INSTRUCTIONS, (ids,))
        leases = pg_arrays.quoted(one.lease for one in claimed)
        submitted = pg_arrays.plain(one.submitted_at is not None for one in claimed)
        connection.exec_driver_sql(GIVE_BACK, (ids, leases, submitted))


def still_claimed(connection: Connection, claimed: Sequence[Payout]) -> set[str]:
    """Payments whose claim nobody has ended or taken over."""
    rows = connection.exec_driver_sql(
        "SELECT payment_id::text FROM instructions i JOIN unnest(%s::uuid[], %s::timestamptz[]) AS taken (id, lease)"
        " ON i.payment_id = taken.id AND i.due_at = taken.lease",
        (pg_arrays.plain(one.payment_id for one in claimed), pg_arrays.quoted(one.lease for one in claimed)),
    )
    return {row[0] for row in rows}
