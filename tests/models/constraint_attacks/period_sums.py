"""What is summed up of final payments and their operations by day and quarter of an hour."""

from tests.models.constraint_attacks.statements import NO_BREAK, Attack, both, insert

SETUP = """
INSERT INTO payment_sums (span, period, type, state, currency, number, amount)
VALUES ('day', '2026-11-01T00:00:00Z', 'transfer', 'COMPLETED', 'EUR', 5, 500);
INSERT INTO movement_sums (span, period, code, type, merchant_id, kind, currency, debits, credits, payments)
VALUES ('day', '2026-11-01T00:00:00Z', 'customer', 'transfer', NULL, 'transfer', 'EUR', 500, 500, 5);
"""

PAYMENTS = {
    **{"span": "'quarter'", "period": "'2026-11-01T12:15:00Z'", "type": "'charge'", "state": "'INITIATED'"},
    **{"currency": "'EUR'", "number": "-1", "amount": "-100"},
}
MOVEMENTS = {
    **{"span": "'quarter'", "period": "'2026-11-01T12:15:00Z'", "code": "'commission'", "type": "'charge'"},
    **{"merchant_id": "%(shop)s", "kind": "'commission'", "currency": "'EUR'"},
    **{"debits": "0", "credits": "1", "payments": "1"},
}


def summed(**columns: str) -> str:
    """A sum of payments, with columns of it replaced."""
    return insert("payment_sums", PAYMENTS | columns)


def moved(**columns: str) -> str:
    """A sum of operations, with columns of it replaced."""
    return insert("movement_sums", MOVEMENTS | columns)


SPAN = "payment_sums_are_of_their_span"
MOVED_SPAN = "movement_sums_are_of_their_span"
FINAL = "payment_sums_of_final_are_positive"
POSITIVE = "movement_sums_are_positive"
GROW, MOVED_GROW = "payment_sums_only_grow", "movement_sums_only_grow"

KEYS = {"span": "quarter", "period": "2026-11-02T00:00:00Z", "type": "charge", "currency": "USD"}

ATTACKS = {
    "payments as a worker sums them": Attack(summed(), NO_BREAK, NO_BREAK),
    "payments of ten minutes": both(summed(period="'2026-11-01T12:10:00Z'"), SPAN),
    "payments of half a day": both(summed(span="'day'"), SPAN),
    "payments of a month": both(summed(span="'month'", period="'2026-11-01T00:00:00Z'"), SPAN),
    "payments of no known state": both(
        summed(state="'PENDING'", number="1", amount="1"), "payment_sums_state_is_known"
    ),
    "final payments that became fewer": both(summed(state="'FAILED'"), FINAL),
    "final payments of no amount": both(summed(state="'FAILED'", number="1", amount="0"), FINAL),
    "payments of half a cent": both(summed(amount="0.5"), "payment_sums_amount_is_whole"),
    "final payments that grow": Attack("UPDATE payment_sums SET number = number + 1", NO_BREAK, NO_BREAK),
    "final payments that shrink": both("UPDATE payment_sums SET number = number - 1", GROW),
    "amount of final payments that shrinks": both("UPDATE payment_sums SET amount = amount - 1", GROW),
    **{
        f"payments of another {column}": Attack(f"UPDATE payment_sums SET {column} = '{value}'", GROW)
        for column, value in (KEYS | {"state": "FAILED"}).items()
    },
    "DELETE FROM payment_sums": Attack("DELETE FROM payment_sums", "payment_sums_are_never_deleted"),
    "TRUNCATE payment_sums": Attack("TRUNCATE payment_sums", "payment_sums_are_never_truncated"),
    "operations as a worker sums them": Attack(moved(), NO_BREAK, NO_BREAK),
    "operations summed twice": both(
        moved(**{name: f"(SELECT {name} FROM movement_sums)" for name in MOVEMENTS}), "movement_sums_one_per_period"
    ),
    "operations of ten minutes": both(moved(period="'2026-11-01T12:10:00Z'"), MOVED_SPAN),
    "operations of a month": both(moved(span="'month'", period="'2026-11-01T00:00:00Z'"), MOVED_SPAN),
    "operations of nobody known": both(moved(merchant_id="%(new)s"), "movement_sums_merchant_id_fkey"),
    "debits of less than nothing": both(moved(debits="-1"), POSITIVE),
    "credits of less than nothing": both(moved(credits="-1"), POSITIVE),
    "operations of no payment": both(moved(payments="0"), POSITIVE),
    "operations of half a cent": both(moved(credits="0.5"), "movement_sums_are_whole"),
    "operations that grow": Attack("UPDATE movement_sums SET debits = debits + 1", NO_BREAK, NO_BREAK),
    **{
        f"{column} that shrink": both(f"UPDATE movement_sums SET {column} = {column} - 1", MOVED_GROW)
        for column in ("debits", "credits", "payments")
    },
    **{
        f"operations of another {column}": Attack(f"UPDATE movement_sums SET {column} = '{value}'", MOVED_GROW)
        for column, value in (KEYS | {"code": "wire", "kind": "exchange"}).items()
    },
    "operations of another merchant": Attack("UPDATE movement_sums SET merchant_id = %(shop)s", MOVED_GROW),
    "DELETE FROM movement_sums": Attack("DELETE FROM movement_sums", "movement_sums_are_never_deleted"),
    "TRUNCATE movement_sums": Attack("TRUNCATE movement_sums", "movement_sums_are_never_truncated"),
}

PERIOD_SUMS = {
    ("INSERT", "payment_sums"): {"span", "period", "type", "state", "currency", "number", "amount"},
    ("UPDATE", "payment_sums"): {"number", "amount"},
    ("INSERT", "movement_sums"): set(MOVEMENTS),
    ("UPDATE", "movement_sums"): {"debits", "credits", "payments"},
}
"""The columns that workers alone may write, by right and table."""
