"""What a batch is decided on beside its accounts and bulks."""

from collections.abc import Iterable

from sqlalchemy import Connection

from models import pg_arrays
from models.prepared_statement import PreparedStatement
from models.records import records
from models.rules.types import ClaimedPayment, Initiator, RefundableAmount

INITIATORS = PreparedStatement(
    "initiators",
    """
SELECT u.id::text, u.role, u.is_active,
       u.role = 'ops' OR (u.id = ANY(%(depositors)s::uuid[]) AND EXISTS (
           SELECT FROM tokens t
           WHERE t.user_id = u.id AND 'deposits:write' = ANY(t.scopes)
             AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()))) AS may_deposit
FROM users u WHERE u.id = ANY(%(ids)s::uuid[])
""",
)


def initiators(connection: Connection, payments: Iterable[ClaimedPayment]) -> dict[str, Initiator]:
    """The users who ordered the payments, by id, with their current rights."""
    users, depositors = set(), set()
    for payment in payments:
        users.add(payment.user_id)
        if payment.type == "deposit":
            depositors.add(payment.user_id)
    rows = INITIATORS.run(connection, ids=pg_arrays.plain(users), depositors=pg_arrays.plain(depositors))
    return {initiator.id: initiator for initiator in records(Initiator, rows)}


REFUNDED = PreparedStatement(
    "charges",
    """
SELECT p.id::text, p.type, p.user_id::text, p.source_id::text, p.target_id::text,
       CASE WHEN p.state <> 'COMPLETED' THEN 0
            WHEN p.type = 'withdrawal' THEN p.amount - p.commission
            ELSE coalesce(p.captured_amount, p.amount) END,
       coalesce((SELECT t.refunded FROM refund_totals t WHERE t.payment_id = p.id), 0),
       CASE WHEN p.type = 'charge' AND %(gives_back)s THEN p.commission ELSE 0 END
FROM payments p WHERE p.id = ANY(%(ids)s::uuid[]) AND p.type IN ('charge', 'withdrawal')
""",
)


def refundable_amounts(
    connection: Connection, payments: Iterable[ClaimedPayment], *, gives_back: bool = True
) -> dict[str, RefundableAmount]:
    """The charges and withdrawals that the batch gives back, by id; only the holder of the posting lock changes them.

    Their commission is included only if refunds give it back too (`gives_back`).
    """
    ids = {payment.parent_id for payment in payments if payment.parent_id}
    if not ids:
        return {}
    rows = REFUNDED.run(connection, ids=pg_arrays.plain(ids), gives_back=gives_back)
    return {id: RefundableAmount(*members) for id, *members in rows}
