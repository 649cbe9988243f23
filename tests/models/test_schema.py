"""Every invariant of the books, broken directly in SQL under each role: what must stop it, by name.

A row of BREAKS says what is tried and what stops the owner, the worker and the gateway: a constraint, a trigger,
or DENIED where the role has not the right to try.
"""

from typing import NamedTuple

import pytest
from sqlalchemy.exc import DBAPIError

from tests.models.world import World, new_id, scalar

DENIED = "denied"
"""insufficient_privilege: stopped before any constraint is asked."""
OVERFLOW = "NumericValueOutOfRange"
"""numeric(38,0) itself."""
NO_BREAK = None
"""The role may do this by design."""


class Break(NamedTuple):
    """An attempt on an invariant, and what stops it for each role."""

    sql: str
    owner: str | None
    worker: str | None = DENIED
    gateway: str | None = DENIED


def pay(columns: str = "", values: str = "", *, amount: str = "100", source: str = "%(rich)s") -> str:
    """A transfer from `source` to bob."""
    return (
        f"INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency{columns}) "
        f"VALUES (%(new)s, 'transfer', %(ann)s, {source}, %(poor)s, {amount}, 'EUR'{values})"
    )


def operations(*lines: tuple[str, str], into: str = "operations", seq: int = 1000, after: str = "0") -> str:
    """One statement with an operation for each (payment, amount)."""
    rows = ", ".join(
        f"({payment}, {line + 10}, %(rich)s, {amount}, 'EUR', 'transfer', {after}, {seq + line})"
        for line, (payment, amount) in enumerate(lines)
    )
    columns = "payment_id, line, account_id, amount, currency, kind, balance_after, account_seq"
    return f"INSERT INTO {into} ({columns}) VALUES {rows}"


def account(**columns: str) -> str:
    """A new account of ann's, with columns of it replaced."""
    given = {"id": "%(new)s", "token": "'wal_0123456789abcdef012345'", "owner_id": "%(ann)s", "currency": "'EUR'"} | columns
    return f"INSERT INTO accounts ({', '.join(given)}) VALUES ({', '.join(given.values())})"


def both(sql: str, stopped_by: str | None) -> Break:
    """What the gateway may not even try."""
    return Break(sql, stopped_by, stopped_by)


HERE, THERE = "%(open)s", "%(done)s"
BALANCE = "UPDATE accounts SET {} WHERE id = %(rich)s"

BREAKS = {
    # amounts of payments
    **{
        f"amount {amount}": Break(pay(amount=amount), stop, DENIED, stop)
        for amount, stop in [
            *((bad, "payments_amount_is_positive") for bad in ("0", "-1", "0.4", "'NaN'")),
            *((bad, OVERFLOW) for bad in ("'Infinity'", "'-Infinity'", "1e38")),
        ]
    },
    "commission NaN": both("UPDATE payments SET commission = 'NaN' WHERE id = %(open)s", "payments_commission_is_within_amount"),
    "commission below zero": both("UPDATE payments SET commission = -1 WHERE id = %(open)s", "payments_commission_is_within_amount"),
    "commission above amount": both("UPDATE payments SET commission = amount + 1 WHERE id = %(open)s", "payments_commission_is_within_amount"),
    "source is target": Break(pay(source="%(poor)s"), "payments_source_is_not_target", DENIED, "payments_source_is_not_target"),
    "unknown type": Break(pay().replace("'transfer'", "'gift'"), "payments_type_is_known", DENIED, "payments_type_is_known"),
    "unknown state": Break("UPDATE payments SET state = 'PAID' WHERE id = %(open)s", "payments_move_along_edges", "payments_move_along_edges"),
    # balances
    "balance NaN": both(BALANCE.format("balance = 'NaN'"), "accounts_balance_is_bounded"),
    "balance Infinity": both(BALANCE.format("balance = 'Infinity'"), OVERFLOW),
    "held NaN": both(BALANCE.format("balance = 'NaN', held = 'NaN'"), "accounts_balance_is_bounded"),
    "held NaN, balance a number": both(BALANCE.format("held = 'NaN'"), "accounts_available_not_below_floor"),
    "held below zero": both(BALANCE.format("held = -1"), "accounts_held_is_not_negative"),
    "held above balance": both(BALANCE.format("held = balance + 1"), "accounts_available_not_below_floor"),
    "balance below floor": both(BALANCE.format("balance = floor - 1"), "accounts_available_not_below_floor"),
    "balance above ceiling": both("UPDATE accounts SET balance = 5001 WHERE id = %(capped)s", "accounts_balance_not_above_ceiling"),
    "last_seq below zero": both(BALANCE.format("last_seq = -1"), "accounts_last_seq_is_not_negative"),
    "floor NaN": Break(BALANCE.format("floor = 'NaN'"), "accounts_available_not_below_floor"),
    "floor NaN under a balance NaN": Break(BALANCE.format("floor = 'NaN', balance = 'NaN'"), "accounts_balance_is_bounded"),
    "floor NaN of a technical account": Break("UPDATE accounts SET floor = 'NaN' WHERE id = %(wire)s", "accounts_available_not_below_floor"),
    "floor NULL of a customer's": Break(BALANCE.format("floor = NULL"), "accounts_owned_have_a_floor"),
    "floor above the balance": Break(BALANCE.format("floor = balance + 1"), "accounts_available_not_below_floor"),
    "ceiling NaN": Break(BALANCE.format("ceiling = 'NaN'"), "accounts_ceiling_is_bounded"),
    "ceiling Infinity": Break(BALANCE.format("ceiling = 'Infinity'"), OVERFLOW),
    "ceiling below zero": Break("UPDATE accounts SET ceiling = -1, balance = -2, floor = -2 WHERE id = %(poor)s", "accounts_ceiling_is_bounded"),
    "ceiling below the balance": Break(BALANCE.format("ceiling = balance - 1"), "accounts_balance_not_above_ceiling"),
    # who has which account
    "account of nobody": Break(account(owner_id="NULL"), "accounts_are_owned_or_technical", DENIED, "accounts_are_owned_or_technical"),
    "account without token": Break(account(token="NULL"), "accounts_are_owned_or_technical", DENIED, "accounts_are_owned_or_technical"),
    "account of a stranger to us": Break(account(owner_id="%(new)s"), "accounts_owner_id_fkey", DENIED, "accounts_owner_id_fkey"),
    "account in no currency": Break(account(currency="'XXX'"), "accounts_currency_fkey", DENIED, "accounts_currency_fkey"),
    "account with a guessable token": Break(account(token="'wal_1'"), "accounts_token_is_well_formed", DENIED, "accounts_token_is_well_formed"),
    "account with a code and an owner": Break(account(code="'wire'"), "accounts_are_owned_or_technical"),
    "second technical account": Break(account(code="'wire'", owner_id="NULL", token="NULL"), "accounts_technical_one_per_code"),
    "technical account of a new kind": Break(account(code="'slush'", owner_id="NULL", token="NULL"), "accounts_technical_code_is_known"),
    "account born rich": Break(account(balance="'NaN'"), "accounts_balance_is_bounded"),
    "account born with a ceiling": Break(account(ceiling="-1"), "accounts_balance_not_above_ceiling"),
    "digits of a currency in use": Break("UPDATE currencies SET digits = 3 WHERE code = 'EUR'", "currencies_digits_are_fixed"),
    "code of a currency in use": Break("UPDATE currencies SET code = 'EUX' WHERE code = 'EUR'", "currencies_digits_are_fixed"),
    "19 digits": Break("UPDATE currencies SET digits = 19 WHERE code = 'CHF'", "currencies_digits_are_bounded"),
    # the double entry
    "an operation alone": both(operations((HERE, "5")), "operations_sum_to_zero"),
    "sum not zero": both(operations((HERE, "-5"), (HERE, "6")), "operations_sum_to_zero"),
    "one bad payment of a batch": both(operations((HERE, "-5"), (HERE, "5"), (THERE, "-5"), (THERE, "4")), "operations_sum_to_zero"),
    "two bad payments that cancel out": both(operations((HERE, "-5"), (THERE, "5")), "operations_sum_to_zero"),
    "two currencies that cancel out": both(operations((HERE, "-5"), (HERE, "5")).replace("'EUR'", "'USD'", 1), "operations_sum_to_zero"),
    "sum not zero, into a partition": Break(operations((HERE, "5"), into="{o}"), "operations_sum_to_zero"),
    "sum zero, into a partition": Break(operations((HERE, "-5"), (HERE, "5"), into="{o}"), NO_BREAK),
    "operation of zero": both(operations((HERE, "0")), "operations_amount_is_not_zero"),
    "operation of NaN": both(operations((HERE, "'NaN'"), (HERE, "'NaN'")), "operations_amount_is_not_zero"),
    "operation of Infinity": both(operations((HERE, "'Infinity'")), OVERFLOW),
    "balance_after NaN": both(operations((HERE, "-5"), (HERE, "5"), after="'NaN'"), "operations_balance_after_is_bounded"),
    "fork of account_seq": both(operations((HERE, "-5"), (HERE, "5"), seq=1), "{o}_account_seq_is_unique"),
    "account_seq of zero": both(operations((HERE, "-5"), (HERE, "5"), seq=0), "operations_account_seq_is_positive"),
    "operation of an unknown kind": both(operations((HERE, "-5"), (HERE, "5")).replace("'transfer'", "'gift'"), "operations_kind_is_known"),
    "line written twice": both(operations((THERE, "-5"), (THERE, "5")).replace(", 11,", ", 10,"), "{o}_pkey"),
    # append-only, in the table and in its partitions
    **{
        f"{verb} {table}": Break(f"{verb} {table}{rest}", stop.format(state))
        for table, state in {
            "operations": "operations_are",
            "payment_events": "payment_events_are",
            "idempotency_keys": "idempotency_keys_are",
            "payment_references": "payment_references_are",
            "audit_log": "audit_log_is",
            "{o}": "operations_are",
        }.items()
        for verb, rest, stop in [
            ("UPDATE", " SET {column} = {column}", "{}_append_only"),
            ("DELETE FROM", "", "{}_append_only"),
            ("TRUNCATE", "", "{}_never_truncated"),
        ]
    },
    **{
        f"{verb} {table}": Break(f"{verb} {table}", stop)
        for table in ("payments", "{p}")
        for verb, stop in [("DELETE FROM", "payments_are_never_deleted"), ("TRUNCATE", "payments_are_never_truncated")]
    },
    "SELECT from a partition": Break("SELECT FROM {p}", NO_BREAK),
    "INSERT into a partition": Break(pay(amount="0").replace("INTO payments", "INTO {p}"), "payments_amount_is_positive"),
    "UPDATE of a final payment in a partition": Break("UPDATE {p} SET attempts = 1 WHERE id = %(done)s", "payments_final_is_final"),
    "forged event": Break("INSERT INTO payment_events (payment_id, version, name) VALUES (%(open)s, 9, 'payment.completed')", "payment_events_are_told_by_triggers"),
    # one key, one reference, one payment
    "second payment under one key": Break(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id) "
        "SELECT user_id, key, fingerprint, %(new)s FROM idempotency_keys WHERE payment_id = %(done)s",
        "idempotency_keys_pkey", DENIED, "idempotency_keys_pkey",
    ),
    "key of nothing": Break(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint) VALUES (%(ann)s, 'k', sha256(''))",
        "idempotency_keys_name_one_thing", DENIED, "idempotency_keys_name_one_thing",
    ),
    "second payment under one reference": Break(
        "INSERT INTO payment_references (merchant_id, reference, payment_id) VALUES (%(shop)s, 'A-1', %(new)s)",
        "payment_references_pkey", DENIED, "payment_references_pkey",
    ),
    # what only the gateway might try: a wish with more than a wish in it
    **{
        f"wish with its own {column}": Break(pay(f", {column}", f", {value}"), NO_BREAK)
        for column, value in {
            "state": "'INITIATED'", "due_at": "now()", "created_at": "now()", "version": "1", "attempts": "0",
            "commission": "0", "parked_at": "NULL", "failure_code": "NULL", "finalized_at": "NULL", "last_error": "NULL",
        }.items()
    },
    **{
        f"wallet with its own {column}": Break(account(**{column: value}), NO_BREAK)
        for column, value in {"balance": "1", "held": "0", "floor": "-1", "ceiling": "NULL", "last_seq": "0", "is_frozen": "false"}.items()
    },
    # what else a role could turn to
    "lock a balance": Break("SELECT FROM accounts WHERE id = %(rich)s FOR UPDATE", NO_BREAK, NO_BREAK),
    "lock a payment": Break("SELECT FROM payments WHERE id = %(open)s FOR UPDATE", NO_BREAK, NO_BREAK),
    "lock the table": Break("LOCK TABLE accounts IN EXCLUSIVE MODE", NO_BREAK),
    "make_partition": Break("SELECT make_partition('payments', now() + interval '9 months')", NO_BREAK),
    "ensure_partitions": Break("SELECT ensure_partitions()", NO_BREAK, NO_BREAK),
    "make a table": Break("CREATE TABLE mine (id integer)", NO_BREAK),
    "make a temporary table": Break("CREATE TEMPORARY TABLE mine (id integer)", NO_BREAK),
    "disable the triggers": Break("ALTER TABLE operations DISABLE TRIGGER USER", NO_BREAK),
    "skip the triggers": Break("SET session_replication_role = replica", DENIED),
    "become the owner": Break("SET ROLE payments_owner", NO_BREAK),
    "read the audit": Break("SELECT FROM audit_log", NO_BREAK, NO_BREAK),
}  # fmt: skip


@pytest.fixture(scope="module")
def names(shared_world: World) -> dict[str, str]:
    """Ids of what the statements speak of."""
    ann, bob, shop = (shared_world.user(name=name) for name in ("Ann", "Bob", "Shop"))
    rich, poor, capped = (shared_world.wallet(ann, funds=1000), shared_world.wallet(bob), shared_world.wallet(bob))
    done = shared_world.transfer(ann, rich, poor, 10)
    shared_world.post()
    still_open = shared_world.transfer(ann, rich, poor, 10)
    with shared_world.owner.begin() as connection:
        connection.exec_driver_sql("UPDATE accounts SET ceiling = 5000 WHERE id = %s", (capped,))
        connection.exec_driver_sql("INSERT INTO payment_references VALUES (%s, 'A-1', %s)", (shop, done))
        connection.exec_driver_sql("INSERT INTO audit_log (actor, action, target) VALUES ('ops', 'look', 'books')")
        part = scalar(connection, "SELECT replace(tableoid::regclass::text, 'payments', '') FROM payments WHERE id = %s", done)
    return {
        **{"ann": ann, "shop": shop, "rich": rich, "poor": poor, "capped": capped, "wire": shared_world.technical("wire")},
        **{"done": done, "open": still_open, "new": new_id(), "p": f"payments{part}", "o": f"operations{part}"},
    }


def stopper(connection, sql: str, names: dict[str, str]) -> str | None:
    """What stopped the statement; None if nothing did."""
    try:
        connection.exec_driver_sql(sql, names)
    except DBAPIError as error:
        if error.orig.pgcode == "42501":
            return DENIED
        return error.orig.diag.constraint_name or type(error.orig).__name__
    return NO_BREAK


COLUMNS = {"audit_log": "actor", "idempotency_keys": "key", "payment_references": "reference", "payment_events": "name"}


@pytest.mark.parametrize("role", ["owner", "worker", "gateway"])
@pytest.mark.parametrize("what", list(BREAKS))
def test_what_stops_it(shared_world, names, what, role):
    attempt = BREAKS[what]
    column = COLUMNS.get(what.split()[-1], "line")
    partitions = {"p": names["p"], "o": names["o"], "column": column}
    expected = getattr(attempt, role)
    with getattr(shared_world, role).connect() as connection:
        stopped_by = stopper(connection, attempt.sql.format(**partitions), names)
    assert stopped_by == (expected and expected.format(**partitions))
