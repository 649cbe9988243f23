"""Counts of payments by type, state, currency and failure: of final ones kept behind the posters, of others read.

A final payment never changes, and one event of the feed says that it is final: each is counted once, for good.
"""

from typing import Any, NamedTuple

from sqlalchemy import Connection

from models.keyset import all_of
from models.payment_stuck import OPEN_CRITERIA, StuckFilter
from models.webhook_queue import CHUNK_END

PAGE = 5_000
"""Events counted by one transaction."""

NEWER_MAX = 20_000
"""Events after the counted ones that are read for a count; the task leaves fewer behind."""

OPEN_MAX = 50_000
"""Payments that are not final, of each criterion, that are read for a count."""

FINAL = {"COMPLETED": "payment.completed", "FAILED": "payment.failed"}
"""The event of each final state."""

LOCK_POSITION = "UPDATE event_positions SET updated_at = now() WHERE reader = %s RETURNING xact::text, sequence"
MOVE_POSITION = "UPDATE event_positions SET xact = %s, sequence = %s WHERE reader = %s"


class EventPage(NamedTuple):
    """Settled events that a reader takes next: its parameters, and whether there may be more."""

    bounds: dict[str, Any]
    is_full: bool


def next_page(connection: Connection, reader: str, limit: int) -> EventPage | None:
    """The next events of a reader, whose position moves behind them, under its lock; None if there are none."""
    xact, sequence = connection.exec_driver_sql(LOCK_POSITION, (reader,)).one()
    after = {"xact": xact, "sequence": sequence}
    end = connection.exec_driver_sql(CHUNK_END, {**after, "limit": limit}).first()
    if end is None:
        return None
    connection.exec_driver_sql(MOVE_POSITION, (end.xact, end.sequence, reader))
    return EventPage({**after, "to_xact": end.xact, "to_sequence": end.sequence}, end.events == limit)


ADD = """
INSERT INTO final_payment_counts AS kept (type, state, currency, failure_code, number)
SELECT p.type, p.state, p.currency, coalesce(p.failure_code, ''), count(*)
FROM (
    SELECT subject_id FROM events
    WHERE (xact, sequence) > (%(xact)s::xid8, %(sequence)s) AND (xact, sequence) <= (%(to_xact)s::xid8, %(to_sequence)s)
      AND name = ANY(%(names)s) OFFSET 0
) AS e CROSS JOIN LATERAL (SELECT * FROM payments WHERE id = e.subject_id OFFSET 0) AS p
GROUP BY p.type, p.state, p.currency, coalesce(p.failure_code, '')
ON CONFLICT (type, state, currency, failure_code) DO UPDATE SET number = kept.number + excluded.number
"""
"""OFFSET 0: each payment is looked up in its month alone."""


def add(connection: Connection) -> bool:
    """Count the payments of the next PAGE of settled events; True if there may be more."""
    page = next_page(connection, "counts", PAGE)
    if page is None:
        return False
    connection.exec_driver_sql(ADD, page.bounds | {"names": list(FINAL.values())})
    return page.is_full


OPEN = " UNION ALL ".join(
    f"(SELECT type, state, currency FROM payments WHERE {criterion} LIMIT %(open_max)s)" for criterion in OPEN_CRITERIA
)

COUNT = f"""
WITH newer AS MATERIALIZED (
    SELECT subject_id, name FROM events
    WHERE (xact, sequence) > ((SELECT xact FROM event_positions WHERE reader = 'counts'),
                              (SELECT sequence FROM event_positions WHERE reader = 'counts'))
    ORDER BY events.xact, events.sequence LIMIT %(newer_max)s
), open AS MATERIALIZED (
    {OPEN}
)
SELECT coalesce(sum(number), 0)::bigint, (SELECT count(*) FROM newer), (SELECT count(*) FROM open)
FROM (
    SELECT type, state, currency, failure_code, number FROM final_payment_counts
    UNION ALL SELECT type, state, currency, NULL, 1 FROM open
    UNION ALL SELECT p.type, p.state, p.currency, p.failure_code, 1
    FROM newer n CROSS JOIN LATERAL (SELECT * FROM payments WHERE id = n.subject_id OFFSET 0) AS p
    WHERE n.name = ANY(%(names)s)
) AS payments
WHERE {{conditions}}
"""
"""One statement: what is counted, what became final since, and what is open are of the same moment."""

CONDITIONS = {
    "types": "type = ANY(%(types)s)",
    "states": "state = ANY(%(states)s)",
    "failures": "failure_code = ANY(%(failures)s)",
    "currency": "currency = %(currency)s",
}


def count(connection: Connection, which: StuckFilter) -> tuple[int, bool] | None:
    """The number of payments of the filter, and whether it is exact or less than there are.

    None for a filter by anything else than type, state, currency and failure, which are all that is counted.
    """
    if which != StuckFilter(is_of_all=True, **{name: getattr(which, name) for name in CONDITIONS}):
        return None
    values = {name: value for name in CONDITIONS if (value := getattr(which, name))}
    names = [name for state, name in FINAL.items() if state in (which.states or FINAL)]
    has_open = not which.failures and not (which.states and FINAL.keys() >= set(which.states))
    statement = COUNT.format(conditions=all_of(CONDITIONS[name] for name in values))
    parameters = {
        **{name: value if name == "currency" else list(value) for name, value in values.items()},
        **{"names": names, "newer_max": NEWER_MAX if names else 0, "open_max": OPEN_MAX if has_open else 0},
    }
    number, newer, open = connection.exec_driver_sql(statement, parameters).one()
    return number, newer < NEWER_MAX and open < OPEN_MAX
