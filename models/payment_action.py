"""Actions of ops users on one payment, ordered by HTTP and shell alike, and judged again by the poster under lock."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from models import audit, inquiry, payment_command, pg_arrays
from models.audit import Actor
from models.payout import LOCK_INSTRUCTIONS
from models.rules import ops_actions
from models.rules.ops_actions import OpsAction, PaymentFacts, Refusal
from models.rules.types import ClaimedPayment, PaymentAction

FACTS = """
SELECT p.id::text, p.type, p.state, p.parked_at IS NOT NULL AS is_parked,
       p.bulk_id IS NOT NULL AND (SELECT mode = 'atomic' FROM bulks WHERE id = p.bulk_id) AS is_atomic,
       EXISTS (SELECT FROM commands WHERE payment_id = p.id AND kind IN ('capture', 'void', 'cancel', 'fail')
                                      AND outcome IS DISTINCT FROM 'refused') AS is_ordered,
       EXISTS (SELECT FROM resolutions WHERE payment_id = p.id AND rejected_by IS NULL AND executed_at IS NULL)
           AS is_proposed,
       i.payment_id IS NOT NULL AS is_payout, i.submitted_at IS NOT NULL AS is_sent,
       i.answer IS NOT NULL AS is_answered,
       i.due_at IS NOT NULL AS is_due
FROM payments p LEFT JOIN instructions i ON i.payment_id = p.id
WHERE p.id = ANY(%s::uuid[])
"""


def facts(connection: Connection, payment_ids: Iterable[str]) -> dict[str, PaymentFacts]:
    """What the rule decides by, of those payments that exist."""
    rows = connection.exec_driver_sql(FACTS, (pg_arrays.plain(payment_ids),))
    return {id: PaymentFacts(*rest) for id, *rest in rows}


def order(
    connection: Connection,
    action: OpsAction,
    payment_id: str,
    actor: Actor,
    reason: str,
    amount: int | None = None,
) -> Refusal | None:
    """Order a cancel, failure, capture, void or question to the bank, and note it in the audit log.

    Returns why it is refused, if it is. The same order by the same ops user is accepted again, and has one effect.
    `amount`, in minor units, is the amount to capture; None is the whole. Raises KeyError if there is no such payment.
    """
    refused = ops_actions.refusal(action, facts(connection, [payment_id])[payment_id])
    if action is OpsAction.ASK:
        if refused is not None or not inquiry.ask(connection, payment_id, actor, reason):
            return refused
    else:
        if refused is None and not payment_command.order_by_ops(
            connection, action.value, payment_id, actor, reason, amount
        ):
            refused = Refusal.ORDERED
        if refused is Refusal.ORDERED and payment_command.is_ordered(connection, action.value, payment_id, actor):
            return None
        if refused is not None:
            return refused
    after = None if amount is None else {"amount": str(amount)}
    audit.note(connection, actor, f"payments.{action.value}", payment_id, reason, after=after)
    return None


UNPARK = "UPDATE payments SET parked_at = NULL WHERE id = ANY(%s::uuid[]) AND parked_at IS NOT NULL"
TAKE_BACK = "UPDATE instructions SET due_at = NULL WHERE payment_id = ANY(%s::uuid[]) AND due_at IS NOT NULL"


def judge(connection: Connection, claimed: Sequence[ClaimedPayment]) -> list[ClaimedPayment]:
    """The claimed payments, each with whether its ops user's action is refused now; call it under their locks.

    Those that end now are no longer parked, and no rail will send them: their instructions are locked first.
    """
    ids = [payment.id for payment in claimed if payment.is_by_ops]
    if not ids:
        return list(claimed)
    connection.exec_driver_sql(LOCK_INSTRUCTIONS, (pg_arrays.plain(ids),))
    known = facts(connection, ids)
    judged = [_judged(payment, known) if payment.is_by_ops else payment for payment in claimed]
    ending = pg_arrays.plain(payment.id for payment in judged if payment.is_by_ops and not payment.is_refused)
    connection.exec_driver_sql(UNPARK, (ending,))
    connection.exec_driver_sql(TAKE_BACK, (ending,))
    return judged


def _judged(payment: ClaimedPayment, known: dict[str, PaymentFacts]) -> ClaimedPayment:
    if payment.action is None or payment.action is PaymentAction.EXPIRE:
        return payment
    before = known[payment.id]._replace(is_ordered=False)  # by this very command
    return payment._replace(is_refused=ops_actions.refusal(OpsAction(payment.action.value), before) is not None)
