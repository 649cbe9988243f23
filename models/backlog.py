"""How old the backlog is: for how long the oldest due payment has waited; and how old it was, by the minute."""

from typing import NamedTuple

from sqlalchemy import Connection

from models import payment
from models.pause import IS_OVER

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


class Head(NamedTuple):
    """When the backlog was read, and since when the payment that is posted next is due: seconds since 1970, by the
    database's clock. Nothing counts as due since before the end of the newest pause: what that kept has old times."""

    read_at: float
    due_at: float

    @property
    def age(self) -> float:
        """Seconds for which it had been due."""
        return self.read_at - self.due_at


HEAD = f"""
SELECT extract(epoch FROM now())::float, extract(epoch FROM greatest(due_at, (
           SELECT max(coalesce(q.released_at, q.resumed_at, q.until)) FROM pauses q WHERE {IS_OVER})))::float
FROM payments WHERE state = 'INITIATED' AND parked_at IS NULL AND due_at <= now()
ORDER BY due_at, id LIMIT 1
"""


def head(connection: Connection) -> Head | None:
    """The head of the backlog; None if nothing is due."""
    row = connection.exec_driver_sql(HEAD).first()
    return None if row is None else Head(*row)


def forget_old(connection: Connection) -> None:
    """Delete samples that are older than KEPT_DAYS."""
    connection.exec_driver_sql(
        "DELETE FROM backlog_samples WHERE minute < now() - make_interval(days => %s)", (KEPT_DAYS,)
    )
