"""What is summed up of merchants' wallets, and how far."""

from tests.models.constraint_attacks.statements import NO_BREAK, Attack, both, insert

SETUP = """
UPDATE merchant_sum_positions s SET account_seq = 1 FROM accounts a WHERE a.id = s.account_id AND a.last_seq > 1;
INSERT INTO merchant_sums (account_id, quarter, gross, commission, refunds)
SELECT account_id, '2026-11-01T12:00:00Z', 50, 1, 30 FROM merchant_sum_positions WHERE account_seq = 1;
"""

WALLET = "(SELECT account_id FROM merchant_sum_positions WHERE account_seq = 1)"


def summed(**columns: str) -> str:
    """A sum of a quarter of an hour, with columns of it replaced."""
    values = {"account_id": WALLET, "quarter": "'2026-11-01T12:15:00Z'"}
    return insert("merchant_sums", values | {"gross": "1", "commission": "-1", "refunds": "1"} | columns)


def of_sum(assignments: str) -> str:
    """A change of a sum."""
    return f"UPDATE merchant_sums SET {assignments}"


def of_position(assignments: str) -> str:
    """A change of how far a wallet is summed up."""
    return f"UPDATE merchant_sum_positions SET {assignments} WHERE account_seq = 1"


FOLLOW = "merchant_sum_positions_follow_operations"
GROW = "merchant_sums_only_grow"

ATTACKS = {
    "sum as a worker writes it": Attack(summed(), NO_BREAK, NO_BREAK),
    "sum of ten minutes": both(summed(quarter="'2026-11-01T12:10:00Z'"), "merchant_sums_are_of_quarters"),
    "sum of less than nothing": both(summed(gross="-1"), "merchant_sums_are_not_negative"),
    "sum of fewer refunds than none": both(summed(refunds="-1"), "merchant_sums_are_not_negative"),
    "sum of a client's wallet": both(summed(account_id="%(rich)s"), "merchant_sums_account_id_fkey"),
    "sum written twice": both(summed(quarter="'2026-11-01T12:00:00Z'"), "merchant_sums_pkey"),
    "sum that grows": Attack(of_sum("gross = gross + 1, commission = commission - 1"), NO_BREAK, NO_BREAK),
    "sum that shrinks": both(of_sum("gross = gross - 1"), GROW),
    "refunds that shrink": both(of_sum("refunds = refunds - 1"), GROW),
    "sum of another quarter": Attack(of_sum("quarter = quarter + interval '15 minutes'"), GROW),
    "sum of another wallet": Attack(of_sum("account_id = %(rich)s"), GROW),
    "DELETE FROM merchant_sums": Attack("DELETE FROM merchant_sums", "merchant_sums_are_never_deleted"),
    "TRUNCATE merchant_sums": Attack("TRUNCATE merchant_sums", "merchant_sums_are_never_truncated"),
    "summed up further": Attack(of_position("account_seq = 2"), NO_BREAK, NO_BREAK),
    "summed up again": both(of_position("account_seq = 0"), FOLLOW),
    "summed up before it is posted": both(of_position("account_seq = 99"), FOLLOW),
    "summed up of another wallet": Attack(of_position("account_id = %(rich)s"), FOLLOW),
    "position of less than nothing": Attack(
        insert("merchant_sum_positions", {"account_id": "%(rich)s", "account_seq": "-1"}),
        "merchant_sum_positions_are_not_negative",
    ),
    "position of no account": Attack(
        insert("merchant_sum_positions", {"account_id": "%(new)s"}), "merchant_sum_positions_account_id_fkey"
    ),
    "DELETE FROM merchant_sum_positions": Attack(
        "DELETE FROM merchant_sum_positions", "merchant_sum_positions_are_never_deleted"
    ),
    "TRUNCATE merchant_sum_positions": Attack(
        "TRUNCATE merchant_sum_positions, merchant_sums", "merchant_sum_positions_are_never_truncated"
    ),
}

MERCHANT_SUMS = {
    ("INSERT", "merchant_sums"): {"account_id", "quarter", "gross", "commission", "refunds"},
    ("UPDATE", "merchant_sums"): {"gross", "commission", "refunds"},
    ("UPDATE", "merchant_sum_positions"): {"account_seq"},
}
"""The columns that workers alone may write, by right and table."""
