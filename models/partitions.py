"""Monthly partitions of payments and operations, created ahead, and their indexes that are no longer used."""

from sqlalchemy import Connection

from models import pg_arrays

PARTITIONED = ("payments", "operations")

MONTHS_AHEAD_MIN = 1
"""Three are created ahead, so that a missing one is noticed a month before it is needed."""


def ensure(connection: Connection) -> int:
    """Create those missing from last month to three months ahead; returns their number."""
    return connection.exec_driver_sql("SELECT ensure_partitions()").scalar_one()


def drop_superseded_indexes(connection: Connection) -> int:
    """Drop what only processes of an earlier version used, a day after the migration; returns how many.

    Raises Contention if the table is in use for a second on end.
    """
    return connection.exec_driver_sql("SELECT drop_superseded_indexes()").scalar_one()


MISSING = r"""
WITH months AS (
    SELECT step, to_char(begin, 'YYYY-MM') AS month, uuid_floor(begin AT TIME ZONE 'UTC') AS first_id,
           uuid_floor((begin + interval '1 month') AT TIME ZONE 'UTC') AS next_id
    FROM generate_series(0, %(ahead)s) AS step,
         LATERAL (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + step * interval '1 month') AS of (begin)
), partitions AS (
    SELECT inhparent, regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \('(.+)'\) TO \('(.+)'\)$$) AS bounds
    FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = ANY(%(parents)s::regclass[])
)
SELECT DISTINCT step, month FROM months CROSS JOIN unnest(%(parents)s::regclass[]) AS parent
WHERE NOT EXISTS (SELECT FROM partitions WHERE inhparent = parent
                  AND bounds[1]::uuid <= first_id AND bounds[2]::uuid >= next_id)
ORDER BY step
"""


def missing(connection: Connection) -> dict[str, int]:
    """Months, such as 2026-12, without a partition of payments or operations, each with its distance in months.

    Checks this month (0) to MONTHS_AHEAD_MIN; a detached table counts as missing, whatever its name is.
    """
    rows = connection.exec_driver_sql(MISSING, {"ahead": MONTHS_AHEAD_MIN, "parents": pg_arrays.plain(PARTITIONED)})
    return {row.month: row.step for row in rows}
