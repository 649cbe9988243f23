"""Mail: its text and token, one per message, and a folder instead of a server."""

from collections.abc import Callable

import pytest
from uuid_utils.compat import uuid7

from models import token as tokens
from models.confirmation import Purpose
from models.session import transaction
from tests.workers.books import Books
from tests.workers.mail_senders import FROM, kept, postman, redeem, token_in
from tests.workers.smtp_server import Server

pytestmark = pytest.mark.shares_books


def test_mail_has_a_token_that_works_once(books: Books, mail_server: Server, request_mail: Callable[..., str]) -> None:
    id = request_mail("carol@example.com")
    sender = postman(books, mail_server)
    assert [sender.deliver(), sender.deliver()] == [1, 0]
    (letter,) = mail_server.mail
    assert (letter["To"], letter["From"]) == ("carol@example.com", FROM)
    assert letter["Subject"] == "Confirm your e-mail address"
    assert (letter.get_content_type(), letter["Auto-Submitted"]) == ("text/plain", "auto-generated")
    assert letter["Date"]
    assert letter["Message-ID"].endswith("@shop.example>")
    assert "POST /v1/confirmations" in letter.get_content()
    assert "24 hours" in letter.get_content()
    assert kept(books, id)[:3] == (1, True, None)
    token = token_in(letter.get_content())
    assert redeem(books, token, Purpose.PASSWORD) is None
    assert redeem(books, token)
    assert redeem(books, token) is None


def test_password_reset_has_its_own_mail(books: Books, mail_server: Server, request_mail: Callable[..., str]) -> None:
    request_mail(purpose=Purpose.PASSWORD)
    postman(books, mail_server).deliver()
    (letter,) = mail_server.mail
    assert letter["Subject"] == "Set a new password"
    assert "POST /v1/password-resets/confirm" in letter.get_content()
    assert redeem(books, token_in(letter.get_content()), Purpose.PASSWORD)


def test_mail_about_a_disabled_endpoint_has_no_token(books: Books, mail_server: Server) -> None:
    endpoint, user_id = str(uuid7()), books.user()
    with books.as_owner() as connection:
        connection.exec_driver_sql(
            "INSERT INTO webhook_endpoints (id, user_id, url, event_types) VALUES (%s, %s, 'https://a.example', '{*}')",
            (endpoint, user_id),
        )
    with transaction(books.worker) as connection:
        connection.exec_driver_sql(
            "UPDATE webhook_endpoints SET is_active = false, disabled_reason = 'gone' WHERE id = %s", (endpoint,)
        )
    assert postman(books, mail_server).deliver() == 1
    (letter,) = mail_server.mail
    assert letter["Subject"] == "A webhook endpoint has been disabled"
    assert tokens.CONFIRMATION_PREFIX not in letter.get_content()


def test_mail_contains_no_text_of_users(books: Books, mail_server: Server, request_mail: Callable[..., str]) -> None:
    """Otherwise a user who signs up with another's address could send them any text in the product's name."""
    request_mail()
    postman(books, mail_server).deliver()
    (letter,) = mail_server.mail
    assert "Eve" not in letter.as_string()
    assert "Bcc" not in letter
    assert sum(command.startswith("RCPT") for command in mail_server.commands) == 1


def test_address_with_a_line_break_is_given_up(
    books: Books, mail_server: Server, request_mail: Callable[..., str], mail_log: list[dict]
) -> None:
    broken = request_mail("mallory@example.com\r\nBcc: x@example.com")
    fine = request_mail()
    assert postman(books, mail_server).deliver() == 1
    assert kept(books, broken).is_given_up
    assert kept(books, fine).is_sent


def test_international_domain_is_encoded(books: Books, mail_server: Server, request_mail: Callable[..., str]) -> None:
    request_mail("carol@müller.example")
    local = request_mail("jürgen@example.com")
    assert postman(books, mail_server).deliver() == 1
    assert mail_server.mail[0]["To"] == "carol@xn--mller-kva.example"
    assert kept(books, local).is_given_up, "this server knows no SMTPUTF8"


def test_mails_share_a_connection(books: Books, mail_server: Server, request_mail: Callable[..., str]) -> None:
    ids = [request_mail() for _ in range(12)]
    assert postman(books, mail_server).deliver() == 12
    assert mail_server.connections == 1
    assert len({token_in(letter.get_content()) for letter in mail_server.mail}) == 12
    assert all(kept(books, id).is_sent for id in ids)
