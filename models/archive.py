"""Archived months: what the books keep of payments whose rows are in files."""

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import pg_arrays

NOTHING = "00000000-0000-0000-0000-000000000000"

HORIZON = f"coalesce((SELECT next_id FROM archived_months ORDER BY month DESC LIMIT 1), '{NOTHING}')"
"""SQL of the id below which all payments are archived."""

UNTIL = "coalesce((SELECT max(month) + interval '1 month' FROM archived_months) AT TIME ZONE 'UTC', '-infinity')"
"""SQL of the end of the newest archived month."""


class Archived(Exception):
    """What is asked for is in files; only an operator can bring it back."""


class PaymentArchived(Archived):
    """The payment's month is archived; it says nothing of whether there was such a payment."""

    def __init__(self) -> None:
        super().__init__("Payments of that month are archived")


class HistoryArchived(Archived):
    """What is asked for needs operations that are archived."""

    def __init__(self, moment: datetime) -> None:
        super().__init__(f"The operations of {moment.astimezone(UTC):%Y-%m} are archived")


IS_OF_MONTH = "SELECT EXISTS (SELECT FROM archived_months WHERE first_id <= %(id)s AND next_id > %(id)s)"


def refuse(connection: Connection, payment_id: str) -> None:
    """Raises PaymentArchived if the id is of an archived month."""
    if connection.exec_driver_sql(IS_OF_MONTH, {"id": payment_id}).scalar_one():
        raise PaymentArchived


class KeptHash(NamedTuple):
    """What is kept of an archived payment: how many operations it had, and its hash in its batch."""

    operations: int
    hash: bytes


def gone(connection: Connection, payment_ids: list[str]) -> dict[str, KeptHash | None]:
    """Those of the payments that are archived; with their hash if others of their batch are not."""
    rows = connection.exec_driver_sql(
        f"SELECT id::text, h.operations, h.hash FROM unnest(%s::uuid[]) AS id LEFT JOIN archived_hashes h"
        f" ON h.payment_id = id WHERE id < {HORIZON}",
        (pg_arrays.plain(payment_ids),),
    )
    return {id: None if hash is None else KeptHash(number, bytes(hash)) for id, number, hash in rows}
