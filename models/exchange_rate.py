"""Exchange rates: append-only, from a named source, valid from a given time."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models.records import records

RATES = """
SELECT DISTINCT ON (source, target) source, target, (rate * 1e18)::numeric(38,0) AS rate,
       (spread * 1000000)::bigint AS spread_millionths, source_name, valid_from
FROM exchange_rates WHERE valid_from <= now()
  AND (%(source)s IS NULL OR (source, target) = (%(source)s, %(target)s))
ORDER BY source, target, valid_from DESC, id DESC
"""


class ExchangeRate(NamedTuple):
    """Units of the target currency per unit of the source currency, with 18 fraction digits; spread in millionths of a
    percent, taken as commission."""

    source: str
    target: str
    rate: int
    spread_millionths: int
    source_name: str
    valid_from: datetime


def in_force(connection: Connection, source: str | None = None, target: str | None = None) -> list[ExchangeRate]:
    """The rates in force now, by currencies; with `source` and `target` only the rate between them, if any."""
    rows = connection.exec_driver_sql(RATES, {"source": source, "target": target})
    return records(ExchangeRate, rows)


def add(
    connection: Connection,
    source: str,
    target: str,
    rate: int,
    spread_millionths: int,
    source_name: str,
    valid_from: datetime | None,
) -> ExchangeRate | None:
    """Store a rate that is valid from then on, or from now; None if that time is past."""
    row = connection.exec_driver_sql(
        "INSERT INTO exchange_rates (source, target, rate, spread, source_name, valid_from)"
        " SELECT %(source)s, %(target)s, %(rate)s::numeric * 1e-18, %(spread)s * 1e-6, %(name)s, since"
        " FROM (SELECT coalesce(%(valid_from)s::timestamptz, now())) AS new (since) WHERE since >= now()"
        " RETURNING valid_from",
        {
            "source": source,
            "target": target,
            "rate": str(rate),
            "spread": spread_millionths,
            "name": source_name,
            "valid_from": valid_from,
        },
    ).first()
    return ExchangeRate(source, target, rate, spread_millionths, source_name, row[0]) if row else None
