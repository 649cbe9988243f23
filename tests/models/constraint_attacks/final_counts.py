"""What is counted of final payments."""

from tests.models.constraint_attacks.statements import NO_BREAK, Attack, both, insert

SETUP = """
INSERT INTO final_payment_counts (type, state, currency, number) VALUES ('transfer', 'COMPLETED', 'EUR', 5);
"""


def counted(**columns: str) -> str:
    """A count, with columns of it replaced."""
    values = {"type": "'charge'", "state": "'FAILED'", "currency": "'EUR'", "failure_code": "'expired'", "number": "1"}
    return insert("final_payment_counts", values | columns)


def of_count(assignments: str) -> str:
    """A change of the count."""
    return f"UPDATE final_payment_counts SET {assignments}"


GROW = "final_payment_counts_only_grow"

ATTACKS = {
    "count as a worker writes it": Attack(counted(), NO_BREAK, NO_BREAK),
    "count of what is open": both(counted(state="'INITIATED'"), "final_payment_counts_are_of_final"),
    "count of none": both(counted(number="0"), "final_payment_counts_are_positive"),
    "count that grows": Attack(of_count("number = number + 1"), NO_BREAK, NO_BREAK),
    "count that shrinks": both(of_count("number = number - 1"), GROW),
    **{
        f"count of another {column}": Attack(of_count(f"{column} = '{value}'"), GROW)
        for column, value in (("type", "charge"), ("state", "FAILED"), ("currency", "USD"), ("failure_code", "expired"))
    },
    "DELETE FROM final_payment_counts": Attack(
        "DELETE FROM final_payment_counts", "final_payment_counts_are_never_deleted"
    ),
    "TRUNCATE final_payment_counts": Attack(
        "TRUNCATE final_payment_counts", "final_payment_counts_are_never_truncated"
    ),
}

FINAL_COUNTS = {
    ("INSERT", "final_payment_counts"): {"type", "state", "currency", "failure_code", "number"},
    ("UPDATE", "final_payment_counts"): {"number"},
}
"""The columns that workers alone may write, by right and table."""
