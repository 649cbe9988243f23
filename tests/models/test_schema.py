"""Every invariant of the ledger, attacked in SQL by each role, and the constraint that must stop it."""

import pytest
from sqlalchemy import Connection

from models.user import Role
from tests.builders import Builder, new_id, scalar
from tests.models.constraint_attacks import (
    ATTACKS,
    archive,
    assignments,
    batches,
    final_counts,
    members,
    merchant_sums,
    period_sums,
    saved_views,
    second_factors,
)
from tests.models.constraint_attacks.statements import stopper, tried


@pytest.fixture(scope="module")
def names(shared_world: Builder) -> dict[str, str]:
    """Ids of what the statements speak of."""
    ann, bob = (shared_world.user(name=name) for name in ("Ann", "Bob"))
    shop = shared_world.user(Role.MERCHANT, "Shop")
    ops, chief = (shared_world.user(Role.OPS, name) for name in ("Ops", "Chief"))
    rich, poor, capped = (shared_world.wallet(ann, funds=1000), shared_world.wallet(bob), shared_world.wallet(bob))
    shared_world.refunded_charge(rich, 50, 30)
    done = shared_world.transfer(ann, rich, poor, 10)
    shared_world.post_payments()
    [held] = shared_world.accept(
        shared_world.new_payment("charge", shop, rich, shared_world.wallet(shop), 10, capture=False)
    )
    shared_world.post_payments()
    [failed] = shared_world.accept(
        shared_world.new_payment("charge", shop, poor, shared_world.wallet(shop), 99, reference="A-2")
    )
    shared_world.post_payments()
    still_open = shared_world.transfer(ann, rich, poor, 10)
    named = [
        shared_world.new_payment(type, who, rich, poor, 10, reference=reference)
        for type, who, reference in [("charge", shop, "A-1"), ("charge", shop, "A-2"), ("transfer", ann, "A-2")]
    ]
    shared_world.accept(*named)
    with shared_world.owner.begin() as connection:
        connection.exec_driver_sql("UPDATE accounts SET ceiling = 5000 WHERE id = %s", (capped,))
        connection.exec_driver_sql(
            "INSERT INTO payment_references VALUES (%(shop)s, 'A-1', %(done)s), (%(shop)s, 'A-2', %(failed)s)",
            {"shop": shop, "done": done, "failed": failed},
        )
        connection.exec_driver_sql(
            "UPDATE users SET phone_number = '+491701234567', email = 'ann@elsewhere.example' WHERE id = %s", (ann,)
        )
        proofs = prove(connection, ann, still_open, held, done) | agree(connection, rich, ops, chief, done)
        retries = {name: new_id() for name in batches.IDS}
        connection.exec_driver_sql(batches.SETUP, {**retries, "ops": ops, "held": held})
        connection.exec_driver_sql(
            "INSERT INTO breaches (invariant, subject, details, healed_at, acknowledged_at, acknowledged_by, reason)"
            " VALUES ('a rule', 'found', '{}', NULL, NULL, NULL, NULL),"
            " ('a rule', 'healed', '{}', now(), now(), 'ops', 'known')"
        )
        connection.exec_driver_sql(
            "INSERT INTO receipt_keys (id, public_key)"
            " SELECT left(encode(sha256(key), 'hex'), 16), key FROM decode(repeat('00', 32), 'hex') AS key"
        )
        connection.exec_driver_sql(
            "INSERT INTO checkpoints (number, first_batch, last_batch, root, previous_hash, signed_at, key_id, hash,"
            " signature) SELECT 1, 0, 0, sha256(''), decode(repeat('00', 32), 'hex'), now(), id, sha256('one'),"
            " decode(repeat('00', 64), 'hex') FROM receipt_keys"
        )
        connection.exec_driver_sql(second_factors.SETUP + members.SETUP, {"ann": ann, "shop": shop})
        proofs |= stop(connection, capped, ops, chief)
        connection.exec_driver_sql(
            assignments.SETUP + merchant_sums.SETUP + final_counts.SETUP + period_sums.SETUP + archive.SETUP
        )
        connection.exec_driver_sql(saved_views.SETUP, {"ops": ops, "full": chief})
        connection.exec_driver_sql("INSERT INTO audit_log (actor, action, target) VALUES ('ops', 'look', 'books')")
        connection.exec_driver_sql(tried(), {"open": still_open})
        part = scalar(
            connection, "SELECT replace(tableoid::regclass::text, 'payments', '') FROM payments WHERE id = %s", done
        )
    return {
        **{
            "ann": ann,
            "shop": shop,
            "ops": ops,
            "chief": chief,
            "rich": rich,
            "poor": poor,
            "capped": capped,
            "wire": shared_world.technical("wire"),
        },
        **proofs,
        **retries,
        **{"paid_again": named[0].id, "again": named[1].id, "others": named[2].id},
        **{
            "held": held,
            "done": done,
            "open": still_open,
            "new": new_id(),
            "p": f"payments{part}",
            "o": f"operations{part}",
        },
    }


def prove(connection: Connection, ann: str, payment_id: str, held: str, done: str) -> dict[str, str]:
    """Tokens, confirmations, commands and quotes in each of their states; the ids of all but tokens, by state."""
    ids = {state: new_id() for state in ("sent", "unsent", "used", "undecided", "decided", "quote", "used_quote")}
    for name, ended in (("kept", ""), ("ended", "revoked_at"), ("rolled", "replaced_by")):
        connection.exec_driver_sql(
            "INSERT INTO tokens (id, user_id, hash, prefix, last4, expires_at, revoked_at, replaced_by) VALUES"
            " (%(id)s, %(user)s, sha256(%(name)s), 'pay_', '0000', now(), CASE WHEN %(ended)s = 'revoked_at' THEN now()"
            " END, CASE WHEN %(ended)s = 'replaced_by' THEN %(id)s::uuid END)",
            {"id": new_id(), "user": ann, "name": name.encode(), "ended": ended},
        )
    connection.exec_driver_sql(
        "INSERT INTO confirmations (id, user_id, purpose, hash, expires_at, sent_at, used_at) VALUES"
        " (%(sent)s, %(user)s, 'email', sha256('sent'), now(), now(), NULL),"
        " (%(unsent)s, %(user)s, 'email', NULL, NULL, NULL, NULL),"
        " (%(used)s, %(user)s, 'email', sha256('used'), now(), now(), now())",
        {**ids, "user": ann},
    )
    connection.exec_driver_sql(
        "INSERT INTO commands (id, kind, payment_id, user_id, reason, decided_at, outcome) VALUES"
        " (%(undecided)s, 'retry', %(payment)s, %(user)s, 'x', NULL, NULL),"
        " (%(decided)s, 'retry', %(payment)s, %(user)s, 'x', now(), 'done')",
        {**ids, "user": ann, "payment": payment_id},
    )
    connection.exec_driver_sql(
        "INSERT INTO quotes (id, user_id, source_currency, target_currency, source_amount, target_amount, rate,"
        " commission, expires_at, payment_id) SELECT id::uuid, %(user)s, 'EUR', 'USD', 100, 110, 1.1, 0,"
        " now() + interval '1 minute', payment_id::uuid"
        " FROM (VALUES (%(quote)s, NULL), (%(used_quote)s, %(done)s)) AS made (id, payment_id)",
        {**ids, "user": ann, "done": done},
    )
    connection.exec_driver_sql(
        "INSERT INTO exchange_rates (source, target, rate, source_name) VALUES ('EUR', 'USD', 1.1, 'ECB')"
    )
    connection.exec_driver_sql(
        "INSERT INTO commands (id, kind, payment_id, user_id) VALUES (%s, 'capture', %s, %s)", (new_id(), held, ann)
    )
    return ids


def agree(connection: Connection, account_id: str, ops: str, chief: str, payment_id: str) -> dict[str, str]:
    """An adjustment that is proposed, one that is agreed on and one that is rejected; their ids by state."""
    ids = {"proposed": new_id(), "agreed": new_id(), "rejected": new_id()}
    connection.exec_driver_sql(
        "INSERT INTO adjustments (id, account_id, direction, amount, currency, reason, proposed_by, approved_by,"
        " approved_at, payment_id, rejected_by, rejected_at, rejection_reason) VALUES"
        " (%(proposed)s, %(account)s, 'credit', 1, 'EUR', 'x', %(ops)s, NULL, NULL, NULL, NULL, NULL, NULL),"
        " (%(agreed)s, %(account)s, 'credit', 1, 'EUR', 'x', %(ops)s, %(chief)s, now(), %(payment)s, NULL, NULL, NULL),"
        " (%(rejected)s, %(account)s, 'credit', 1, 'EUR', 'x', %(ops)s, NULL, NULL, NULL, %(ops)s, now(), 'x')",
        {**ids, "account": account_id, "ops": ops, "chief": chief, "payment": payment_id},
    )
    return ids


def stop(connection: Connection, account_id: str, ops: str, user_id: str) -> dict[str, str]:
    """A user of ops who left, freezes and pauses in each of their states; their ids, by state."""
    ids = {state: new_id() for state in ("left", "frozen", "thawed", "user", "paused", "resumed", "released")}
    values = {**ids, "ops": ops, "account": account_id, "frozen_user": user_id}
    for statement in (
        "INSERT INTO users (id, email, role, name, is_active) VALUES (%(left)s, 'left@example.com', 'ops', 'L', false)",
        "INSERT INTO freezes (id, account_id, user_id, reason, thaw_reason, thawed_by, thawed_at) VALUES"
        " (%(thawed)s, %(account)s, NULL, 'x', 'x', %(ops)s, now()), (%(frozen)s, %(account)s, NULL, 'x', NULL, NULL,"
        " NULL), (%(user)s, NULL, %(frozen_user)s, 'x', NULL, NULL, NULL)",
        "INSERT INTO pauses (id, type, currency, reason, resume_reason, resumed_by, resumed_at, released_at) VALUES"
        " (%(paused)s, 'bonus', NULL, 'x', NULL, NULL, NULL, NULL),"
        " (%(resumed)s, NULL, 'USD', 'x', 'x', %(ops)s, now(), NULL),"
        " (%(released)s, NULL, 'USD', 'x', 'x', %(ops)s, now(), now())",
    ):
        connection.exec_driver_sql(statement, values)
    return ids


COLUMNS = {
    **{"audit_log": "actor", "idempotency_keys": "key", "events": "name"},
    "payment_attempts": "actor",
}


@pytest.mark.parametrize("role", ["owner", "worker", "gateway"])
def test_attacks_are_stopped_by_the_named_constraints(shared_world: Builder, names: dict[str, str], role: str) -> None:
    """Each in a transaction of its own, on one connection: a test for each would cost more than what it tries."""
    missed = {}
    with getattr(shared_world, role).connect() as connection:
        for what, attempt in ATTACKS.items():
            partitions = {"p": names["p"], "o": names["o"], "column": COLUMNS.get(what.split()[-1], "line")}
            expected = getattr(attempt, role)
            stopped_by = stopper(connection, attempt.sql.format(**partitions), names)
            connection.rollback()
            if stopped_by != (expected and expected.format(**partitions)):
                missed[what] = stopped_by
    assert missed == {}
