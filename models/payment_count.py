"""How many payments a filter selects: exact up to a bound, and never more than a bound of rows is read for it."""

from typing import NamedTuple

from sqlalchemy import Connection

from models import final_count, payment_lookup, payment_search, payment_stuck
from models.payment_stuck import StuckFilter

COUNTED_MAX = 10_000
"""Counting stops one above this."""

SCANNED_MAX = 100_000
"""Payments that are tested by conditions without an index, the newest first: as many as are read in a tenth of a
second."""


class PaymentCount(NamedTuple):
    """A number of payments, and whether it was counted to the end: if not, there are at least as many."""

    number: int
    is_exact: bool


def count(connection: Connection, which: StuckFilter) -> PaymentCount:
    """The number of payments of the filter, up to COUNTED_MAX.

    By type, state, currency and failure they are counted already; of another filter without an index among the newest.
    """
    if which.is_of_all:
        number, is_whole = final_count.count(connection, which) or (0, False)
        if number <= COUNTED_MAX and not is_whole:
            scanned, is_whole = payment_search.count(
                connection, payment_lookup.search_of(which), COUNTED_MAX + 1, SCANNED_MAX
            )
            number = max(number, scanned)
    else:
        number, is_whole = payment_stuck.count(connection, which, COUNTED_MAX + 1), True
    return PaymentCount(min(number, COUNTED_MAX), is_whole and number <= COUNTED_MAX)
