"""Terms of commission: append-only, announced a minute ahead, never deleted."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row

from models import keyset
from models.keyset import START, Cursor
from models.rules.commission import FREE, Schedule, Schedules, Terms, newest_terms, terms_for

TERMS = """
SELECT type, currency, merchant_id::text, valid_from, (percent * 1000000)::bigint AS percent, fixed, minimum,
       maximum, now()
FROM commission_terms
"""


def schedules(connection: Connection) -> Schedules:
    """All terms; a copy less than a minute old includes all that are in force."""
    return newest_terms(_schedule(row) for row in connection.exec_driver_sql(TERMS))


def in_force(connection: Connection, type: str, currency: str, user_id: str) -> Terms:
    """Terms that apply to a payment ordered by this user now."""
    rows = connection.exec_driver_sql(
        f"{TERMS} WHERE type = %s AND (currency IS NULL OR currency = %s) AND (merchant_id IS NULL OR merchant_id = %s)"
        " AND valid_from <= now()",
        (type, currency, user_id),
    ).all()
    return terms_for(newest_terms(map(_schedule, rows)), type, currency, user_id, rows[0].now) if rows else FREE


def _schedule(row: Row) -> Schedule:
    return Schedule(row.type, row.currency, row.merchant_id, row.valid_from, _terms(row))


def _terms(row: Row) -> Terms:
    return Terms(row.percent, row.fixed, row.minimum, row.maximum)


class TermsRecord(NamedTuple):
    """Stored terms; `digits` are those of their currency, 0 without one."""

    id: str
    type: str
    currency: str | None
    digits: int
    merchant_id: str | None
    valid_from: datetime
    created_at: datetime
    terms: Terms


RECORDS = """
SELECT t.id::text, t.type, t.currency, coalesce(c.digits, 0) AS digits, t.merchant_id::text, t.valid_from, t.created_at,
       (t.percent * 1000000)::bigint AS percent, t.fixed, t.minimum, t.maximum
FROM commission_terms t LEFT JOIN currencies c ON c.code = t.currency
"""


def page(
    connection: Connection,
    limit: int,
    at: Cursor = START,
    *,
    type: str | None = None,
    currency: str | None = None,
    merchant_id: str | None = None,
) -> list[TermsRecord]:
    """Terms, newest first."""
    conditions = {"t.type = %s": type, "t.currency = %s": currency, "t.merchant_id = %s": merchant_id}
    return keyset.page(connection, _record, RECORDS, conditions, limit, at, key="t.id", kind="bigint")


def is_announced_in_time(connection: Connection, valid_from: datetime) -> bool:
    """Whether new terms may be valid from that time: at least a minute ahead, by the database's clock."""
    statement = "SELECT %s::timestamptz >= now() + interval '1 minute'"
    return bool(connection.exec_driver_sql(statement, (valid_from,)).scalar_one())


def add(
    connection: Connection,
    type: str,
    currency: str | None,
    merchant_id: str | None,
    terms: Terms,
    valid_from: datetime | None = None,
) -> TermsRecord | None:
    """Store new terms, valid from a minute ahead by default; None if others begin at exactly that time."""
    id = connection.exec_driver_sql(
        "INSERT INTO commission_terms (type, currency, merchant_id, percent, fixed, minimum, maximum, valid_from)"
        " VALUES (%s, %s, %s, %s::numeric / 1000000, %s, %s, %s, coalesce(%s, now() + interval '1 minute'))"
        " ON CONFLICT DO NOTHING RETURNING id",
        (type, currency, merchant_id, *terms, valid_from),
    ).scalar()
    return None if id is None else _record(connection.exec_driver_sql(f"{RECORDS} WHERE t.id = %s", (id,)).one())


def _record(row: Row) -> TermsRecord:
    *members, _, _, _, _ = row
    return TermsRecord._make((*members, _terms(row)))
