"""Questions of ops users to a bank about one payout, and what it said at that moment, beside what was known here."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import pg_arrays
from models.audit import Actor
from models.payout import LOCK_PAYMENTS, Payout
from models.records import records

NOT_SENT = "not_sent"
"""The answer to a question about a payout that was taken back meanwhile: the bank was not asked."""


class Inquiry(NamedTuple):
    """A question and its answer; `known_answer` and `known_bank_reference` are what was known at that moment."""

    id: str
    asked_by: str
    reason: str
    created_at: datetime
    answered_at: datetime | None
    answer: str | None
    answer_reason: str | None
    bank_reference: str | None
    known_answer: str | None
    known_bank_reference: str | None

    @property
    def differences(self) -> list[str]:
        """In what the bank's answer differs from what was known here."""
        pairs = {
            "answer": (self.answer, self.known_answer),
            "bank_reference": (self.bank_reference, self.known_bank_reference),
        }
        return [name for name, (there, here) in pairs.items() if self.answered_at is not None and there != here]


def ask(connection: Connection, payment_id: str, actor: Actor, reason: str) -> bool:
    """Store a question; False if one waits already."""
    stored = connection.exec_driver_sql(
        "INSERT INTO inquiries (id, payment_id, asked_by, reason) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (str(uuid7()), payment_id, actor.name, reason),
    )
    return stored.rowcount == 1


def about(connection: Connection, payment_id: str) -> list[Inquiry]:
    """Questions about one payment, oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT id::text, asked_by, reason, created_at, answered_at, answer, answer_reason, bank_reference,"
        " known_answer, known_bank_reference FROM inquiries WHERE payment_id = %s ORDER BY inquiries.id",
        (payment_id,),
    )
    return records(Inquiry, rows)


OPEN = """
SELECT p.id::text AS payment_id, p.amount - p.commission AS amount, c.digits, p.currency, i.iban, i.bic, i.name,
       i.description, coalesce(i.rail, '') AS rail, i.attempts, i.submitted_at,
       coalesce(extract(epoch FROM now() - i.submitted_at), 0)::float AS waited_seconds,
       i.pending_at IS NOT NULL AS was_pending, i.creditor_reference
FROM inquiries q JOIN instructions i USING (payment_id) JOIN payments p ON p.id = q.payment_id
     JOIN currencies c ON c.code = p.currency
WHERE q.answered_at IS NULL
ORDER BY q.id LIMIT %s
"""


def open_payouts(connection: Connection, limit: int) -> list[Payout]:
    """The payouts that ops users ask about, up to `limit`, oldest question first."""
    return records(Payout, connection.exec_driver_sql(OPEN, (limit,)))


class InquiryAnswer(NamedTuple):
    """The bank's answer of this moment about a payment."""

    payment_id: str
    answer: str
    reason: str | None
    bank_reference: str | None


ANSWER = pg_arrays.Columns("said", "payment_id uuid, answer text, reason text, bank_reference text")

SAVE = f"""
WITH said AS (
    UPDATE inquiries q
    SET answered_at = now(), answer = said.answer, answer_reason = said.reason, bank_reference = said.bank_reference,
        known_answer = coalesce(i.answer, CASE WHEN i.pending_at IS NOT NULL THEN 'pending' ELSE 'unknown' END),
        known_bank_reference = i.bank_reference
    FROM {ANSWER.unnest} JOIN instructions i USING (payment_id)
    WHERE q.payment_id = said.payment_id AND q.answered_at IS NULL
    RETURNING q.payment_id
)
UPDATE payments p SET due_at = p.due_at FROM said
WHERE p.id = said.payment_id AND p.id = ANY({ANSWER.array("payment_id")}) AND p.state = 'AUTHORIZED'
"""
"""The payment gets a new version, which wakes the ops user who waits for the answer."""


def save(connection: Connection, answers: Sequence[InquiryAnswer]) -> None:
    """Store the bank's answers beside what is known here; call it before they are recorded as final."""
    if answers:
        connection.exec_driver_sql(LOCK_PAYMENTS, (pg_arrays.plain(answer.payment_id for answer in answers),))
        connection.exec_driver_sql(SAVE, ANSWER.parameters(answers))
