"""Who may post: one transaction at a time, or several of one process that keep an order among themselves."""

from sqlalchemy import Connection

POSTING_LOCK = 0x706F7374
"""Advisory lock of the posting transaction ("post" in ASCII): one process posts, the others stand by."""

LANES_LOCK = 0x6C616E65
"""Advisory lock ("lane") that transactions share in which one process posts a backlog on several connections."""


def acquire(connection: Connection) -> None:
    """Wait until no other transaction posts, and keep others out until this one ends.

    A statement of its own, so that later reads see everything the previous poster committed.
    """
    connection.exec_driver_sql(
        "SELECT pg_advisory_xact_lock(%s), pg_advisory_xact_lock(%s)", (POSTING_LOCK, LANES_LOCK)
    )


def lead(connection: Connection) -> int:
    """Keep other posters out until this transaction ends; returns the number by which `follow` knows it.

    Transactions that followed an earlier leader may still run: wait for them in another one, by `await_followers`.
    """
    leader: int = connection.exec_driver_sql(
        "SELECT pg_backend_pid() FROM pg_advisory_xact_lock(%s)", (POSTING_LOCK,)
    ).scalar_one()
    return leader


def await_followers(connection: Connection) -> None:
    """Wait until all who followed an earlier leader have ended; end this transaction before others follow."""
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LANES_LOCK,))


LEADS = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = %s AND objsubid = 1
                                      AND pid = %s AND granted)
"""


def follow(connection: Connection, leader: int) -> bool:
    """Let this transaction post beside others of its leader; False if that does not lead any more.

    First the lock: a later leader waits for this transaction to end, so no other poster can post meanwhile.
    """
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock_shared(%s)", (LANES_LOCK,))
    leads: bool = connection.exec_driver_sql(LEADS, (POSTING_LOCK, leader)).scalar_one()
    return leads
