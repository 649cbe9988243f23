"""The only module that changes money: it alone assigns balances and writes operations."""

import os
from collections.abc import Iterable, Mapping, Set
from types import MappingProxyType

from sqlalchemy import Connection

from models import pg_arrays
from models.prepared_statement import PreparedStatement
from models.records import records
from models.rules.commission import FREE
from models.rules.ledger_chain import SALT_BYTES, batch_hashes
from models.rules.types import ClaimedPayment, Decision, LockedAccount, LockedBulk, Verdict


class LedgerMismatch(Exception):
    """A write touched other rows than were locked and decided: a bug, so nothing is committed."""


NO_TECHNICAL_ACCOUNTS: Mapping[tuple[str, str], str] = MappingProxyType({})

ACCOUNTS = """
SELECT id::text, owner_id::text, code, currency, balance, held, floor, ceiling,
       is_active AND coalesce((SELECT u.is_active FROM users u WHERE u.id = owner_id), true) AS is_active, is_frozen,
       last_seq, is_limited
FROM accounts WHERE id = ANY(%(ids)s::uuid[])
"""
READ_ACCOUNTS = PreparedStatement("read_accounts", ACCOUNTS)
LOCK_ACCOUNTS = PreparedStatement("lock_accounts", f"{ACCOUNTS} ORDER BY accounts.id FOR NO KEY UPDATE")


def account_ids(
    payments: Iterable[ClaimedPayment],
    technical_account_ids: Mapping[tuple[str, str], str] = NO_TECHNICAL_ACCOUNTS,
) -> set[str]:
    """Ids of the accounts that a batch is decided on.

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
    return ids


def lock_accounts(connection: Connection, ids: Iterable[str]) -> dict[str, LockedAccount]:
    """The accounts by id, locked in id order with the weakest lock that protects a balance."""
    return _accounts(LOCK_ACCOUNTS, connection, ids)


def read_accounts(connection: Connection, ids: Iterable[str]) -> dict[str, LockedAccount]:
    """The accounts by id, not locked: a batch decided on them must find them unchanged when it locks them."""
    return _accounts(READ_ACCOUNTS, connection, ids)


def _accounts(statement: PreparedStatement, connection: Connection, ids: Iterable[str]) -> dict[str, LockedAccount]:
    rows = statement.run(connection, ids=pg_arrays.plain(sorted(ids)))
    return {account.id: account for account in records(LockedAccount, rows)}


BULKS = """
SELECT id::text, user_id::text, source_id::text, currency, total, mode = 'atomic' AS is_atomic, is_decided, held,
       failure_code AS failure, authorized, completed, failed,
       coalesce(CASE WHEN mode = 'atomic' AND NOT is_decided
            THEN (SELECT min(p.amount) FROM payments p WHERE p.bulk_id = bulks.id
                  AND p.id >= uuid_floor(bulks.created_at - interval '1 day')
                  AND p.id < uuid_floor(bulks.created_at + interval '1 day')) END, 1)
           AS least
FROM bulks WHERE id = ANY(%s::uuid[])
"""
LOCK_BULKS = f"{BULKS} ORDER BY bulks.id FOR NO KEY UPDATE"


def bulk_ids(payments: Iterable[ClaimedPayment]) -> set[str]:
    """Ids of the bulks that the batch has lines of."""
    return {payment.bulk_id for payment in payments if payment.bulk_id}


def lock_bulks(connection: Connection, ids: Set[str]) -> dict[str, LockedBulk]:
    """The bulks by id, locked; call it before `lock_accounts`, as all others do."""
    return _bulks(LOCK_BULKS, connection, ids)


def read_bulks(connection: Connection, ids: Set[str]) -> dict[str, LockedBulk]:
    """The bulks by id, not locked, as `read_accounts`."""
    return _bulks(BULKS, connection, ids)


def _bulks(statement: str, connection: Connection, ids: Set[str]) -> dict[str, LockedBulk]:
    if not ids:
        return {}
    rows = connection.exec_driver_sql(statement, (pg_arrays.plain(ids),))
    return {bulk.id: bulk for bulk in records(LockedBulk, rows)}


VERDICT = pg_arrays.Columns(
    "verdict", "payment_id uuid, state text, failure text, captured numeric, commission numeric"
)
OPERATION = pg_arrays.Columns(
    "operation",
    "payment_id uuid, line smallint, account_id uuid, amount numeric, currency text, kind text, balance_after numeric,"
    " account_seq bigint",
)
BOOK = pg_arrays.Columns("book", "id uuid, balance numeric, held numeric, last_seq bigint")

UPDATED_PAYMENTS = f"""updated_payments AS (
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
)"""
NEW_OPERATIONS = f"""new_operations AS (
    INSERT INTO operations ({OPERATION.names})
    SELECT * FROM {OPERATION.unnest}
    RETURNING 1
)"""
UPDATED_ACCOUNTS = f"""updated_accounts AS (
    UPDATE accounts a SET balance = book.balance, held = book.held, last_seq = book.last_seq
    FROM {BOOK.unnest}
    WHERE a.id = book.id AND a.id = ANY({BOOK.array("id")})
    RETURNING 1
)"""
NEW_BATCH = """new_batch AS (
    INSERT INTO ledger_batches (number, previous_hash, payments, salts, marks, root)
    SELECT newest.number + 1, newest.hash, %(payments)s::uuid[], %(salts)s::bytea, %(marks)s::bytea, %(root)s::bytea
    FROM (SELECT number, hash FROM ledger_batches ORDER BY number DESC LIMIT 1) newest
    WHERE %(root)s::bytea IS NOT NULL
    RETURNING 1
)"""
"""Each `= ANY` repeats its join: only it prunes partitions, and it avoids a full scan while statistics are missing."""

POST = PreparedStatement(
    "post",
    f"""
WITH {UPDATED_PAYMENTS}, {NEW_OPERATIONS}, {UPDATED_ACCOUNTS}, {NEW_BATCH}
SELECT (SELECT count(*) FROM updated_payments), (SELECT count(*) FROM new_operations),
       (SELECT count(*) FROM updated_accounts), (SELECT count(*) FROM new_batch)
""",
)
VERDICTS = PreparedStatement(
    "post_verdicts",
    f"""
WITH {UPDATED_PAYMENTS}
SELECT count(*) FROM updated_payments
""",
)
ENTRIES = PreparedStatement(
    "post_entries",
    f"""
WITH {NEW_OPERATIONS}, {UPDATED_ACCOUNTS}, {NEW_BATCH}
SELECT (SELECT count(*) FROM new_operations), (SELECT count(*) FROM updated_accounts), (SELECT count(*) FROM new_batch)
""",
)


def post(connection: Connection, decision: Decision, hold_ttl_hours: int) -> None:
    """Write the verdicts, their operations and the resulting balances in one statement; new holds get their expiry.

    The operations are chained to the batch before by their hash.
    """
    if not decision.verdicts:
        return
    parameters = _verdicts(decision, hold_ttl_hours) | _entries(decision)
    _expect(POST.run(connection, **parameters).one(), (len(decision.verdicts), *_expected_entries(decision)))
    _write_payouts_and_bulks(connection, decision)


def post_verdicts(connection: Connection, decision: Decision, hold_ttl_hours: int) -> None:
    """The first half of `post`: the verdicts, which need no lock but those of the payments."""
    if decision.verdicts:
        _expect(VERDICTS.run(connection, **_verdicts(decision, hold_ttl_hours)).one(), (len(decision.verdicts),))


def post_entries(connection: Connection, decision: Decision) -> None:
    """The second half of `post`: the operations and balances; all accounts and bulks are locked by now."""
    if decision.verdicts:
        _expect(ENTRIES.run(connection, **_entries(decision)).one(), _expected_entries(decision))
        _write_payouts_and_bulks(connection, decision)


def _verdicts(decision: Decision, hold_ttl_hours: int) -> dict[str, object]:
    return {"hold_ttl_hours": hold_ttl_hours, **VERDICT.parameters(decision.verdicts)}


def _entries(decision: Decision) -> dict[str, object]:
    operations = decision.operations
    batch = _batch(decision.verdicts, len(operations))
    return {**OPERATION.parameters(operations), **BOOK.parameters(decision.accounts), **batch}


def _expected_entries(decision: Decision) -> tuple[int, int, int]:
    operations = len(decision.operations)
    return operations, len(decision.accounts), 1 if operations else 0


def _write_payouts_and_bulks(connection: Connection, decision: Decision) -> None:
    payouts = [verdict.payment_id for verdict in decision.verdicts if verdict.sends_payout]
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
