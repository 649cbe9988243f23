"""The only module that changes money: it alone assigns balances and writes operations."""

import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sqlalchemy import Connection

from models import pg_arrays
from models.payment import POSTING_LOCK
from models.prepared_statement import PreparedStatement
from models.records import records
from models.rules.commission import FREE
from models.rules.ledger_chain import SALT_BYTES, batch_hashes
from models.rules.types import ClaimedPayment, Decision, Initiator, LockedAccount, LockedBulk, RefundableAmount, Verdict


class LedgerMismatch(Exception):
    """A write touched other rows than were locked and decided: a bug, so nothing is committed."""


def acquire_posting_lock(connection: Connection) -> None:
    """Wait until no other transaction posts, and keep others out until this one ends.

    A statement of its own, so that later reads see everything the previous poster committed.
    """
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (POSTING_LOCK,))


NO_TECHNICAL_ACCOUNTS: Mapping[tuple[str, str], str] = MappingProxyType({})

LOCK_ACCOUNTS = PreparedStatement(
    "lock_accounts",
    """
SELECT id::text, owner_id::text, code, currency, balance, held, floor, ceiling,
       is_active AND coalesce((SELECT u.is_active FROM users u WHERE u.id = owner_id), true) AS is_active, is_frozen,
       last_seq, is_limited
FROM accounts WHERE id = ANY(%(ids)s::uuid[]) ORDER BY accounts.id FOR NO KEY UPDATE
""",
)


def lock_accounts(
    connection: Connection,
    payments: Iterable[ClaimedPayment],
    technical_account_ids: Mapping[tuple[str, str], str] = NO_TECHNICAL_ACCOUNTS,
) -> dict[str, LockedAccount]:
    """All accounts of the batch by id, locked in id order with the weakest lock that protects a balance.

    `technical_account_ids`, by code and currency, adds the commission and exchange accounts that the batch needs.
    """
    ids: set[str] = set()
    for payment in payments:
        ids.update((payment.source_id, payment.target_id))
        if payment.terms != FREE or payment.parent_id or payment.quote_id:
            ids.add(technical_account_ids.get(("commission", payment.currency), payment.source_id))
        if payment.quote_id:
            exchanges = [("exchange", currency) for currency in (payment.currency, payment.received_currency)]
            ids.update(technical_account_ids[key] for key in exchanges if key in technical_account_ids)
    rows = LOCK_ACCOUNTS.run(connection, ids=pg_arrays.plain(sorted(ids)))
    return {account.id: account for account in records(LockedAccount, rows)}


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


BULKS = """
SELECT id::text, user_id::text, source_id::text, currency, total, mode = 'atomic' AS is_atomic, is_decided, held,
       failure_code AS failure, authorized, completed, failed,
       coalesce(CASE WHEN mode = 'atomic' AND NOT is_decided
            THEN (SELECT min(p.amount) FROM payments p WHERE p.bulk_id = bulks.id
                  AND p.id >= uuid_floor(bulks.created_at - interval '1 day')
                  AND p.id < uuid_floor(bulks.created_at + interval '1 day')) END, 1)
           AS least
FROM bulks WHERE id = ANY(%s::uuid[]) ORDER BY bulks.id FOR NO KEY UPDATE
"""


def lock_bulks(connection: Connection, payments: Iterable[ClaimedPayment]) -> dict[str, LockedBulk]:
    """The bulks that the batch has lines of, by id, locked; call it before `lock_accounts`, as all others do."""
    ids = {payment.bulk_id for payment in payments if payment.bulk_id}
    if not ids:
        return {}
    rows = connection.exec_driver_sql(BULKS, (pg_arrays.plain(ids),))
    return {bulk.id: bulk for bulk in records(LockedBulk, rows)}


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


VERDICT = pg_arrays.Columns(
    "verdict", "payment_id uuid, state text, failure text, captured numeric, commission numeric"
)
OPERATION = pg_arrays.Columns(
    "operation",
    "payment_id uuid, line smallint, account_id uuid, amount numeric, currency text, kind text, balance_after numeric,"
    " account_seq bigint",
)
BOOK = pg_arrays.Columns("book", "id uuid, balance numeric, held numeric, last_seq bigint")

POST = PreparedStatement(
    "post",
    f"""
WITH updated_payments AS (
    UPDATE payments p
    SET state = verdict.state, failure_code = verdict.failure, captured_amount = verdict.captured,
        commission = verdict.commission,
        finalized_at = CASE WHEN verdict.state <> 'AUTHORIZED' THEN clock_timestamp() END,
        hold_expires_at = CASE WHEN verdict.state <> 'AUTHORIZED' OR p.capture THEN p.hold_expires_at
                               ELSE clock_timestamp() + make_interval(hours => %(hold_ttl_hours)s) END,
        last_error = NULL
    FROM {VERDICT.unnest}
    WHERE p.id = verdict.payment_id AND p.id = ANY({VERDICT.array("payment_id")})
    RETURNING p.id
), new_operations AS (
    INSERT INTO operations ({OPERATION.names})
    SELECT * FROM {OPERATION.unnest}
    RETURNING 1
), updated_accounts AS (
    UPDATE accounts a SET balance = book.balance, held = book.held, last_seq = book.last_seq
    FROM {BOOK.unnest}
    WHERE a.id = book.id AND a.id = ANY({BOOK.array("id")})
    RETURNING 1
), new_batch AS (
    INSERT INTO ledger_batches (number, previous_hash, payments, salts, marks, root)
    SELECT newest.number + 1, newest.hash, %(payments)s::uuid[], %(salts)s::bytea, %(marks)s::bytea, %(root)s::bytea
    FROM (SELECT number, hash FROM ledger_batches ORDER BY number DESC LIMIT 1) newest
    WHERE %(root)s::bytea IS NOT NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM updated_payments), (SELECT count(*) FROM new_operations),
       (SELECT count(*) FROM updated_accounts), (SELECT count(*) FROM new_batch)
""",
)
"""Each `= ANY` repeats its join: only it prunes partitions, and it avoids a full scan while statistics are missing."""


def post(connection: Connection, decision: Decision, hold_ttl_hours: int) -> None:
    """Write the verdicts, their operations and the resulting balances in one statement; new holds get their expiry.

    The operations are chained to the batch before by their hash.
    """
    verdicts, accounts = decision.verdicts, decision.accounts
    if not verdicts:
        return
    operations = [operation for verdict in verdicts for operation in verdict.operations]
    counts = POST.run(
        connection,
        hold_ttl_hours=hold_ttl_hours,
        **VERDICT.parameters(verdicts),
        **OPERATION.parameters(operations),
        **BOOK.parameters(accounts),
        **_batch(verdicts, len(operations)),
    ).one()
    _expect(tuple(counts), (len(verdicts), len(operations), len(accounts), 1 if operations else 0))
    payouts = [verdict.payment_id for verdict in verdicts if verdict.sends_payout]
    if payouts:
        _expect(connection.exec_driver_sql(RELEASE_PAYOUTS, (pg_arrays.plain(payouts),)).rowcount, len(payouts))
    if decision.bulks:
        written = connection.exec_driver_sql(WRITE_BULKS, BULK.parameters(decision.bulks)).rowcount
        _expect(written, len(decision.bulks))


def _batch(verdicts: Iterable[Verdict], operations: int) -> dict[str, str | None]:
    """The row that chains the operations, as parameters; NULL without any."""
    if not operations:
        return dict.fromkeys(("payments", "salts", "marks", "root"))
    posted = [verdict for verdict in verdicts if verdict.operations]
    salts = os.urandom(SALT_BYTES * operations)
    hashes = batch_hashes([(verdict.payment_id, [o[1:] for o in verdict.operations]) for verdict in posted], salts)
    return {
        "payments": pg_arrays.plain([verdict.payment_id for verdict in posted]),
        "salts": f"\\x{salts.hex()}",
        "marks": f"\\x{hashes.marks.hex()}",
        "root": f"\\x{hashes.root.hex()}",
    }


RELEASE_PAYOUTS = "UPDATE instructions SET due_at = statement_timestamp() WHERE payment_id = ANY(%s::uuid[])"

BULK = pg_arrays.Columns(
    "bulk",
    "id uuid, is_decided boolean, held numeric, failure text, authorized integer, completed integer, failed integer",
)

WRITE_BULKS = f"""
UPDATE bulks b SET is_decided = bulk.is_decided, held = bulk.held, failure_code = bulk.failure,
                   authorized = bulk.authorized, completed = bulk.completed, failed = bulk.failed
FROM {BULK.unnest}
WHERE b.id = bulk.id
"""


def _expect(written: object, decided: object) -> None:
    if written != decided:
        raise LedgerMismatch(f"wrote {written} rows, decided {decided}")
