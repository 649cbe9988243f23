"""Pauses as ops make and end them."""

from datetime import datetime

from models import pause, paused_payment
from models.audit import SHELL
from models.pause import Pause, Scope
from models.session import transaction
from tests.workers.books import Books

WHY = "the bank is confused"


def paused(books: Books, until: datetime | None = None, **scope: str) -> Pause:
    """A new pause."""
    with transaction(books.worker) as connection:
        kept = pause.pause(connection, Scope(**scope), WHY, until, SHELL)
    assert kept is not None
    return kept[0]


def resume(books: Books, record: Pause) -> None:
    with transaction(books.worker) as connection:
        assert pause.resume(connection, record, "it is clear", SHELL)[1]


def end(books: Books, record: Pause) -> None:
    """As if its end had come by the database's clock."""
    with books.superuser.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(
            "UPDATE pauses SET paused_at = now() - interval '2 hours', until = now() - interval '1 hour' WHERE id = %s",
            (record.id,),
        )


def set_aside(books: Books) -> int:
    with transaction(books.worker) as connection:
        return paused_payment.count(connection)
