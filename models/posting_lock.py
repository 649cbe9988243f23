"""Who may post: one transaction at a time, or several of one process that keep an order among themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

from models.session import Connection, Engine, transaction

POSTING_LOCK = 0x706F7374
"""Advisory lock of the posting transaction ("post" in ASCII): one process posts, the others stand by."""

LANES_LOCK = 0x6C616E65
"""Advisory lock ("lane") that transactions share in which one process posts a backlog on several connections."""


TRY = """
SELECT CASE WHEN pg_try_advisory_xact_lock(%s) THEN pg_advisory_xact_lock(%s) IS NOT NULL ELSE false END
"""


@contextmanager
def alone(engine: Engine) -> Iterator[Connection]:
    """A transaction in which nobody else posts, from its first statement on: it sees all that was posted before.

    Its time is that of its operations, so it begins when its turn has come: waiting is another transaction.
    """
    with transaction(engine) as connection:
        if connection.exec_driver_sql(TRY, (POSTING_LOCK, LANES_LOCK)).scalar_one():
            yield connection
            return
    with transaction(engine) as leader:
        lead(leader)
        with transaction(engine) as connection:
            await_followers(connection)
            yield connection


def lead(connection: Connection) -> str:
    """Keep other posters out until this transaction ends; returns the name by which `follow` knows it.

    Transactions that followed an earlier leader may still run: wait for them in another one, by `await_followers`.
    """
    leader: str = connection.exec_driver_sql(
        "SELECT (SELECT virtualtransaction FROM pg_locks WHERE pid = pg_backend_pid() LIMIT 1)"
        " FROM pg_advisory_xact_lock(%s)",
        (POSTING_LOCK,),
    ).scalar_one()
    return leader


def await_followers(connection: Connection) -> None:
    """Wait until all who followed an earlier leader have ended; end this transaction before others follow."""
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LANES_LOCK,))


LEADS = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = %s AND objsubid = 1
                                      AND virtualtransaction = %s AND granted)
"""


def follow(connection: Connection, leader: str) -> bool:
    """Let this transaction post beside others of its leader; False if that does not lead any more.

    First the lock: a later leader waits for this transaction to end, so no other poster can post meanwhile.
    """
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock_shared(%s)", (LANES_LOCK,))
    leads: bool = connection.exec_driver_sql(LEADS, (POSTING_LOCK, leader)).scalar_one()
    return leads
