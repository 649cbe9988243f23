"""How old the backlog was: for how long the oldest due payment had waited, by the minute."""

from sqlalchemy import Connection

from models import payment

KEPT_DAYS = 8
"""A chart shows a day; a week later people still ask."""

SAMPLE = """
INSERT INTO backlog_samples AS kept (minute, waiting, oldest_due_seconds)
VALUES (date_trunc('minute', now(), 'UTC'), %(waiting)s, %(seconds)s)
ON CONFLICT (minute) DO UPDATE
SET waiting = greatest(kept.waiting, excluded.waiting),
    oldest_due_seconds = greatest(kept.oldest_due_seconds, excluded.oldest_due_seconds)
WHERE excluded.waiting > kept.waiting OR excluded.oldest_due_seconds > kept.oldest_due_seconds
"""


def sample(connection: Connection) -> None:
    """Keep the backlog of this moment, if it is the largest or oldest of its minute."""
    waiting, seconds = payment.waiting(connection)
    connection.exec_driver_sql(SAMPLE, {"waiting": waiting, "seconds": max(seconds, 0.0)})


def forget_old(connection: Connection) -> None:
    """Delete samples that are older than KEPT_DAYS."""
    connection.exec_driver_sql(
        "DELETE FROM backlog_samples WHERE minute < now() - make_interval(days => %s)", (KEPT_DAYS,)
    )
