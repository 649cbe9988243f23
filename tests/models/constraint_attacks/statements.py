"""Statements that try an invariant of the books, and what stops them."""

from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

DENIED = "denied"
"""insufficient_privilege: stopped before any constraint is asked."""
OVERFLOW = "NumericValueOutOfRange"
"""numeric(38,0) itself, before any right is asked."""
PASS = "payment_references_pass_from_failed"
NO_BREAK = None
"""The role may do this by design."""


def stopper(connection, sql: str, names: dict[str, str]) -> str | None:
    """The error that stopped the statement; None if nothing did."""
    try:
        connection.exec_driver_sql(sql, names)
    except DBAPIError as error:
        if error.orig.pgcode == "42501":
            return DENIED
        return error.orig.diag.constraint_name or type(error.orig).__name__
    return NO_BREAK


class Attack(NamedTuple):
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
    values = {
        "id": "%(new)s",
        "token": "'wal_0123456789abcdef012345'",
        "owner_id": "%(ann)s",
        "currency": "'EUR'",
    } | columns
    return insert("accounts", values)


def insert(table: str, values: dict[str, str]) -> str:
    """A new row."""
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(values.values())})"


def new_user(**columns: str) -> str:
    """A client who signs up, with columns replaced."""
    values = {"id": "%(new)s", "email": "'new@example.com'", "role": "'client'", "name": "'New'"}
    return insert("users", values | columns)


def token(**columns: str) -> str:
    """A new token of ann's, with columns of it replaced."""
    values = {"id": "%(new)s", "user_id": "%(ann)s", "hash": "sha256('new')", "prefix": "'pay_'", "last4": "'0000'"}
    return insert("tokens", values | columns)


def of_token(assignments: str, name: str) -> str:
    """A change of a token: one that is kept, ended or rolled."""
    return f"UPDATE tokens SET {assignments} WHERE hash = sha256('{name}')"


def confirmation(**columns: str) -> str:
    """A new confirmation for ann, with columns of it replaced."""
    return insert("confirmations", {"id": "%(new)s", "user_id": "%(ann)s", "purpose": "'email'"} | columns)


def of_confirmation(assignments: str, state: str = "sent") -> str:
    """A change of a confirmation: one that is sent, unsent or used."""
    return f"UPDATE confirmations SET {assignments} WHERE id = %({state})s"


def throttle(subject: str, attempts: str) -> str:
    """A new throttle."""
    return insert("login_throttles", {"subject": subject, "attempts": attempts, "locked_until": "now()"})


def command(**columns: str) -> str:
    """A new command to retry a payment, with columns of it replaced."""
    values = {"id": "%(new)s", "kind": "'retry'", "payment_id": "%(done)s", "user_id": "%(ann)s", "reason": "'why not'"}
    return insert("commands", values | columns)


def terms(**columns: str) -> str:
    """New terms of commission in a while, with columns of them replaced."""
    return insert("commission_terms", {"type": "'charge'", "valid_from": "now() + interval '1 hour'"} | columns)


def currency(**columns: str) -> str:
    """A new currency of ops' own, with columns of it replaced."""
    values = {"code": "'POINTS'", "digits": "2", "kind": "'custom'", "name": "'Points'"}
    return insert("currencies", values | columns)


def adjustment(**columns: str) -> str:
    """A new proposal to credit ann, by one of ops, with columns of it replaced."""
    values = {"id": "%(new)s", "account_id": "%(rich)s", "direction": "'credit'", "amount": "1", "currency": "'EUR'"}
    return insert("adjustments", values | {"reason": "'lost'", "proposed_by": "%(ops)s"} | columns)


def of_adjustment(assignments: str, state: str = "proposed") -> str:
    """A change of an adjustment: one that is proposed, agreed or rejected."""
    return f"UPDATE adjustments SET {assignments} WHERE id = %({state})s"


def limit(**columns: str) -> str:
    """A new limit of what the shop may charge ann, with columns of it replaced."""
    return insert("charge_limits", {"account_id": "%(rich)s", "merchant_id": "%(shop)s", "per_charge": "1"} | columns)


def of_euro(assignments: str) -> str:
    """A change of a currency that is in use."""
    return f"UPDATE currencies SET {assignments} WHERE code = 'EUR'"


def rate(**columns: str) -> str:
    """A new rate, with columns of it replaced."""
    values = {"source": "'EUR'", "target": "'USD'", "rate": "1.1", "source_name": "'ECB'"}
    return insert("exchange_rates", values | columns)


def quote(**columns: str) -> str:
    """A new quote for ann, with columns of it replaced."""
    values = {
        **{"id": "%(new)s", "user_id": "%(ann)s"},
        **{"source_currency": "'EUR'", "target_currency": "'USD'", "source_amount": "100", "target_amount": "110"},
        **{"rate": "1.1", "commission": "0", "expires_at": "now() + interval '1 minute'"},
        **{"transfer_source_amount": "100", "transfer_target_amount": "108", "transfer_commission": "2"},
    }
    return insert("quotes", values | columns)


def of_quote(assignments: str, state: str = "quote") -> str:
    """A change of a quote: a `quote` that is unused, or a `used_quote`."""
    return f"UPDATE quotes SET {assignments} WHERE id = %({state})s"


def quoted(type: str = "exchange", **columns: str) -> str:
    """A payment by quote, with columns of it replaced."""
    quote = {"quote_id": "%(new)s", "target_amount": "1", "target_currency": "'USD'", "rate": "1.1"} | columns
    names, values = (", ".join(part) for part in (quote, quote.values()))
    return pay(f", {names}", f", {values}").replace("'transfer'", f"'{type}'")


def of_command(assignments: str, state: str = "undecided") -> str:
    """A change of a command: one that is undecided or decided."""
    return f"UPDATE commands SET {assignments} WHERE id = %({state})s"


def tried(**columns: str) -> str:
    """An attempt to post ann's open payment that came to nothing, with columns of it replaced."""
    return insert("payment_attempts", {"payment_id": "%(open)s", "actor": "'worker'", "attempt": "1"} | columns)


def pair(payment: str, **rest: str | int) -> str:
    """Two operations of one payment that sum to zero."""
    return operations((payment, "-5"), (payment, "5"), **rest)


def posted(
    *, moves: str = "%(open)s", books: str = "%(rich)s", account: str = "id", currency: str = "currency", **adds: int
) -> str:
    """Two operations that sum to zero, of a payment that the same statement completes, as the ledger would write them
    but for what is given; `adds` to their `seq` and to the `after` of the last.
    """
    return f"""
        WITH moved AS (UPDATE payments SET state = 'COMPLETED', finalized_at = clock_timestamp() WHERE id = {moves}),
        booked AS (UPDATE accounts SET last_seq = last_seq + 2 WHERE id = {books})
        INSERT INTO operations (payment_id, line, account_id, amount, currency, kind, balance_after, account_seq)
        SELECT %(open)s, n, {account}, CASE n WHEN 1 THEN -5 ELSE 5 END, {currency}, 'transfer',
               balance + CASE n WHEN 1 THEN -5 ELSE {adds.get("after", 0)} END, last_seq + n + {adds.get("seq", 0)}
        FROM accounts, generate_series(1, 2) AS n WHERE id = %(rich)s"""


def of_open(assignments: str) -> str:
    """A change of a payment that is INITIATED."""
    return f"UPDATE payments SET {assignments} WHERE id = %(open)s"


def of_held(assignments: str) -> str:
    """A change of a payment that is AUTHORIZED."""
    return f"UPDATE payments SET {assignments} WHERE id = %(held)s"


def of_account(assignments: str, name: str = "rich") -> str:
    """A change of an account."""
    return f"UPDATE accounts SET {assignments} WHERE id = %({name})s"


def by_all(sql: str, stopped_by: str) -> Attack:
    """Attempts that every role may make: the gateway orders payments, and a worker does for technical accounts."""
    return Attack(sql, stopped_by, stopped_by, stopped_by)


def gateways(sql: str, stopped_by: str) -> Attack:
    """An attack that the worker's rights already stop."""
    return Attack(sql, stopped_by, DENIED, stopped_by)


def both(sql: str, stopped_by: str) -> Attack:
    """An attack that the gateway's rights already stop."""
    return Attack(sql, stopped_by, stopped_by)


def overflow(sql: str) -> Attack:
    """An attack with a value that no numeric(38,0) holds, for every role."""
    return Attack(sql, OVERFLOW, OVERFLOW, OVERFLOW)


HERE, THERE = "%(open)s", "%(done)s"
