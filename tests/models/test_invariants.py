"""Books in order break no invariant; each invariant finds its own break, made by a superuser past the triggers."""

import pytest
from sqlalchemy import Engine, NullPool

from embedded.postgres import SUPERUSER, Postgres
from models.invariants import INVARIANTS, violations
from models.session import open_engine
from tests.builders import Builder
from tests.support import Database
from workers.final_counts import count_up
from workers.merchant_sums import sum_up

OPERATION = "UPDATE operations SET {} WHERE payment_id = %(done)s AND line = 0"
PAYMENT = "UPDATE payments SET {} WHERE id = %(done)s"
ACCOUNT = "UPDATE accounts SET {} WHERE id = %(rich)s"
EVENTS = "DELETE FROM events WHERE subject_id = %(done)s AND version = {}"

INSTRUCTION = (
    "INSERT INTO instructions (payment_id, iban, name, answer, answered_at)"
    " SELECT {}, 'DE89370400440532013000', 'Ann', answer, CASE WHEN answer IS NOT NULL THEN now() END"
    " FROM (VALUES ({}::text)) AS said (answer)"
)
BULK = (
    "INSERT INTO bulks (id, kind, mode, user_id, bank_account_id, source_id, currency, total, lines, held, is_decided)"
    " VALUES (%(done)s, 'transfers', '{}', %(done)s, %(done)s, %(rich)s, 'EUR', {}, 1, {}, {})"
)

BREAKS = {
    "operations sum to zero per payment and currency": [OPERATION.format("amount = amount + 1")],
    "an account's balance is the sum of its operations": [ACCOUNT.format("balance = balance + 1")],
    "all balances of a currency sum to zero": [ACCOUNT.format("balance = balance + 1")],
    "an account's operations are dense, without gap or fork, up to last_seq": [
        OPERATION.format("account_seq = 9"),
        ACCOUNT.format("last_seq = last_seq + 1"),
    ],
    "each balance_after is the one before plus the amount": [OPERATION.format("balance_after = balance_after + 1")],
    "no available balance is or ever was below its floor": [OPERATION.format("balance_after = -1")],
    "a payment has operations exactly when it COMPLETED": [
        "DELETE FROM operations WHERE payment_id = %(done)s",
        PAYMENT.format("state = 'FAILED', failure_code = 'expired'"),
    ],
    "a completed payment moved its amount, or what was captured of it, from its source to its target": [
        PAYMENT.format("amount = amount + 1"),
        PAYMENT.format("source_id = target_id, target_id = source_id"),
    ],
    "a completed payment's commission went from who bears it to us, or came back with a refund": [
        PAYMENT.format("commission = 1")
    ],
    "a completed payment by quote moved through the exchange accounts of both its currencies, and no other did": [
        "UPDATE operations SET kind = 'transfer' WHERE payment_id = %(exchanged)s",
        "UPDATE operations SET account_id = %(crypto)s WHERE payment_id = %(exchanged)s AND line = 1",
        "UPDATE payments SET target_amount = target_amount + 1 WHERE id = %(exchanged)s",
        OPERATION.format("kind = 'exchange'"),
    ],
    "a completed payment by quote is what was quoted, and one quote serves one payment": [
        "UPDATE payments SET rate = rate + 1 WHERE id = %(exchanged)s",
        "UPDATE quotes SET payment_id = %(done)s WHERE payment_id = %(exchanged)s",
        "UPDATE quotes SET source_amount = source_amount + 1 WHERE payment_id = %(exchanged)s",
        "UPDATE quotes SET transfer_source_amount = source_amount, transfer_target_amount = target_amount,"
        " transfer_commission = commission, source_amount = NULL, target_amount = NULL, commission = NULL"
        " WHERE payment_id = %(exchanged)s",
    ],
    "no charge is refunded beyond what was captured, and of no withdrawal returns more than the bank was told": [
        "UPDATE payments SET type = 'refund', parent_id = %(failed)s WHERE id = %(done)s",
        "UPDATE payments SET type = 'return', parent_id = %(failed)s WHERE id = %(done)s",
    ],
    "what was given back of a payment is counted beside it, with what was taken of it": [
        "UPDATE payments SET type = 'refund', parent_id = %(failed)s WHERE id = %(done)s",
        "INSERT INTO refund_totals (payment_id, captured, refunded) VALUES (%(done)s, 700, 1)",
        "UPDATE refund_totals SET refunded = refunded - 1 WHERE payment_id = %(refunded)s",
        "UPDATE refund_totals SET captured = captured + 1 WHERE payment_id = %(refunded)s",
    ],
    "every refund and return is listed with what it gives back": [
        "UPDATE payments SET type = 'refund', parent_id = %(failed)s WHERE id = %(done)s",
    ],
    "what a bank was told of ended as it answered, and not before": [
        INSTRUCTION.format("%(done)s", "NULL"),
        INSTRUCTION.format("%(done)s", "'rejected'"),
        INSTRUCTION.format("%(failed)s", "'confirmed'"),
    ],
    "what came back from a bank is a return of its own": [
        "UPDATE payments SET type = 'return', parent_id = %(failed)s WHERE id = %(done)s"
    ],
    "a bulk's counts are those of its lines": [BULK.format("best_effort", 1, 0, "false")],
    "an atomic bulk is held or refused as a whole": [
        BULK.format("atomic", 5, 5, "true"),
        BULK.format("atomic", 5, 5, "false"),
    ],
    "every operation is of a payment": ["DELETE FROM payments WHERE id = %(done)s"],
    "every operation is in its account's and its payment's currency": [
        OPERATION.format("currency = 'USD'"),
        PAYMENT.format("currency = 'USD'"),
        "UPDATE payments SET target_currency = 'JPY' WHERE id = %(exchanged)s",
    ],
    "every idempotency key names a payment, an account, an adjustment, a bulk or a user that exists": [
        "DELETE FROM payments WHERE id = %(open)s"
    ],
    "a reference names one payment of its merchant's that did not fail": [PAYMENT.format("reference = 'A-1'")],
    "what the house gives comes from its internal account": [PAYMENT.format("type = 'bonus'")],
    "an adjustment is what two of ops agreed on": [PAYMENT.format("type = 'adjustment'")],
    "what is counted of final payments is what there is": [
        "UPDATE final_payment_counts SET number = number + 1",
        "UPDATE final_payment_counts SET type = 'bonus' WHERE type = 'transfer'",
        "DELETE FROM final_payment_counts",
        "UPDATE event_positions SET xact = '0' WHERE reader = 'counts'",
    ],
    "what is summed up of a merchant's wallet is what its operations come to": [
        "UPDATE merchant_sums SET gross = gross + 1",
        "UPDATE merchant_sums SET commission = commission + 1",
        "UPDATE merchant_sums SET refunds = refunds + 1",
        "UPDATE merchant_sums SET quarter = quarter + interval '15 minutes'",
        "DELETE FROM merchant_sums",
        "UPDATE merchant_sum_positions SET account_seq = 0 WHERE account_seq > 0",
    ],
    "what is summed up of final payments is what there is": [
        "UPDATE payment_sums SET number = number + 1",
        "UPDATE payment_sums SET amount = amount + 1 WHERE span = 'quarter'",
        "UPDATE payment_sums SET type = 'bonus' WHERE type = 'transfer'",
        "DELETE FROM payment_sums WHERE span = 'day'",
        "UPDATE payments SET created_at = created_at - interval '1 hour' WHERE id = %(failed)s",
        "UPDATE event_positions SET xact = '0' WHERE reader = 'sums'",
    ],
    "what is summed up of operations is what there is": [
        "UPDATE movement_sums SET debits = debits + 1",
        "UPDATE movement_sums SET credits = credits + 1 WHERE span = 'day'",
        "UPDATE movement_sums SET payments = payments + 1 WHERE span = 'quarter'",
        "UPDATE movement_sums SET merchant_id = (SELECT user_id FROM payments WHERE id = %(done)s)",
        "DELETE FROM movement_sums",
        "UPDATE event_positions SET xact = '0' WHERE reader = 'sums'",
    ],
    "every transition has its event": [EVENTS.format(1), EVENTS.format(2)],
    "every event is of a transition": [
        "INSERT INTO events (subject_id, version, name) VALUES (%(open)s, 2, 'payment.completed')",
        "UPDATE events SET name = 'payment.completed' WHERE subject_id = %(failed)s AND version = 2",
        "DELETE FROM payments WHERE id = %(failed)s",
        "UPDATE events SET version = 99 WHERE subject_id = %(done)s AND version = 2",
        "UPDATE events SET name = 'bulk.completed' WHERE subject_id = %(done)s AND version = 2",
    ],
    "every bulk that is final has its event": [
        "INSERT INTO bulks (id, kind, mode, user_id, target_id, currency, total, lines, completed, state, finalized_at)"
        " VALUES (%(done)s, 'charges', 'best_effort', %(done)s, %(rich)s, 'EUR', 1, 1, 1, 'COMPLETED', now())"
    ],
    "every event names whom it concerns": [
        "UPDATE events SET user_id = NULL WHERE subject_id = %(done)s",
        "UPDATE events SET user_id = %(done)s WHERE subject_id = %(done)s",
        "UPDATE events SET payee_id = NULL WHERE subject_id = %(done)s",
    ],
    "what is held of an account is the sum of its open holds": [ACCOUNT.format("held = 1")],
}


@pytest.fixture(scope="module")
def names(shared_world: Builder) -> dict[str, str]:
    """A lively world: deposits, an exchange, and transfers that completed, failed, are parked and are open."""
    ann, bob = shared_world.user(), shared_world.user()
    rich, poor = shared_world.wallet(ann, funds=1000), shared_world.wallet(bob)
    done, failed = shared_world.transfer(ann, rich, poor, 700), shared_world.transfer(ann, rich, poor, 700)
    shared_world.transfer(bob, poor, rich, 5)
    exchanged = shared_world.exchange(ann, rich, shared_world.wallet(ann, currency="USD"), 10, 11)
    refunded = shared_world.refunded_charge(rich, 50, 30)
    shared_world.post_payments()
    sum_up(shared_world.worker)
    count_up(shared_world.worker)
    shared_world.park(shared_world.transfer(ann, rich, poor, 1))
    still_open = shared_world.transfer(ann, rich, poor, 1)
    ids = {"rich": rich, "done": done, "failed": failed, "exchanged": exchanged, "open": still_open}
    return ids | {"refunded": refunded, "crypto": shared_world.technical("crypto")}


@pytest.fixture(scope="module")
def superuser(postgres: Postgres, database: Database) -> Engine:
    """A superuser, who can write without triggers."""
    return open_engine(postgres.url(database.name, SUPERUSER), NullPool)


@pytest.mark.usefixtures("names")
def test_sound_ledger_has_no_violations_for_the_worker(shared_world):
    with shared_world.worker.connect() as connection:
        assert violations(connection) == []


def test_every_invariant_has_a_violation_to_test():
    assert BREAKS.keys() == INVARIANTS.keys()


@pytest.mark.parametrize(("promise", "sql"), [(p, sql) for p, tries in BREAKS.items() for sql in tries])
def test_each_invariant_finds_its_violation(superuser, names, promise, sql):
    with superuser.connect() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        assert connection.exec_driver_sql(sql, names).rowcount > 0
        assert promise in {found.partition(": ")[0] for found in violations(connection)}
