"""Senders of mail, and what they have recorded."""

from typing import NamedTuple

from models import confirmation
from models import token as tokens
from models.confirmation import Purpose
from models.session import transaction
from tests.workers.books import Books
from tests.workers.smtp_server import Server
from workers.mail import MailSender

FROM = "Payments <payments@shop.example>"


class Kept(NamedTuple):
    """The confirmation's row."""

    attempts: int
    is_sent: bool
    last_error: str | None
    is_given_up: bool
    due_in_seconds: float | None


def kept(books: Books, id: str) -> Kept:
    with transaction(books.worker) as connection:
        return Kept(
            *connection.exec_driver_sql(
                "SELECT attempts, sent_at IS NOT NULL, last_error, due_at = 'infinity',"
                " CASE WHEN isfinite(due_at) THEN extract(epoch FROM due_at - now())::float END"
                " FROM confirmations WHERE id = %s",
                (id,),
            ).one()
        )


def redeem(books: Books, token: str, purpose: Purpose = Purpose.EMAIL) -> str | None:
    with transaction(books.gateway) as connection:
        return confirmation.redeem(connection, tokens.hash_of(token), purpose)


def token_in(text: str) -> str:
    (token,) = [line for line in text.splitlines() if line.startswith(tokens.CONFIRMATION_PREFIX)]
    assert tokens.is_well_formed(token, tokens.CONFIRMATION_PREFIX)
    return token


def postman(books: Books, server: Server, query: str = "", credentials: str = "") -> MailSender:
    return MailSender(books.worker, f"smtp://{credentials}localhost:{server.port}{query}", FROM)
