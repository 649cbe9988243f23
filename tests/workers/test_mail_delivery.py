"""Delivery of mail: shared connections, refusals, retries, TLS, and servers that are away."""

import re
import ssl
import subprocess
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
import structlog
from sqlalchemy import make_url
from structlog.testing import LogCapture
from uuid_utils.compat import uuid7

from models import confirmation, user
from models.circuit_breaker import CircuitBreaker
from models.confirmation import Purpose
from models.session import DatabaseUnavailable, transaction
from tests.lossy_postgres_proxy import SOCKET_NAME, Line, Loss
from tests.workers.books import Books
from tests.workers.mail_senders import FROM, kept, postman, redeem, token_in
from tests.workers.smtp_server import Server, serving
from workers import mail
from workers.mail import ATTEMPTS_MAX, QUIET_SECONDS, UNDER_WAY_SECONDS, MailSender


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The log entries of the mail sender."""
    capture = LogCapture()
    monkeypatch.setattr(mail, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def ask(books: Books) -> Callable[..., str]:
    """Ask for a mail as the gateway does; returns the confirmation's id."""

    def ask(email: str | None = None, purpose: Purpose = Purpose.EMAIL) -> str:
        id, user_id = str(uuid7()), str(uuid7())
        with transaction(books.worker) as connection:
            assert user.create(
                connection, user_id, email or f"{user_id}@example.com", user.Role.CLIENT, "Eve\r\nBcc: x@y.z"
            )
        with transaction(books.gateway) as connection:
            assert confirmation.ask(connection, id, user_id, purpose)
        return id

    return ask


def make_due(books: Books, id: str) -> None:
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE confirmations SET due_at = now() WHERE id = %s", (id,))


def test_no_due_mail_opens_no_connection(books: Books, server: Server) -> None:
    assert postman(books, server).deliver() == 0
    assert server.connections == 0


def test_delivery_without_time_leaves_mails_to_the_next_run(
    books: Books, server: Server, ask: Callable[..., str]
) -> None:
    ask()
    assert postman(books, server).deliver(seconds=0) == 0
    assert postman(books, server).deliver() == 1


def test_permanently_refused_mail_is_given_up(books: Books, server: Server, ask: Callable[..., str]) -> None:
    unknown = ask("unknown@example.com")
    other = ask()
    server.refuses["unknown@example.com"] = "550 no such user"
    assert postman(books, server).deliver() == 1
    assert kept(books, other).is_sent
    row = kept(books, unknown)
    assert (row.is_sent, row.is_given_up, "550" in row.last_error) == (False, True, True)


@pytest.mark.parametrize("by", ["recipient", "content"])
def test_mail_refused_for_now_is_retried_a_limited_time(
    books: Books, server: Server, ask: Callable[..., str], by: str
) -> None:
    id = ask("grey@example.com")
    if by == "recipient":
        server.refuses["grey@example.com"] = "450 try later"
    else:
        server.data_reply = "451 try later"
    sender, waits = postman(books, server), []
    for attempt in range(1, ATTEMPTS_MAX):
        make_due(books, id)
        assert sender.deliver() == 0
        row = kept(books, id)
        assert (row.attempts, row.is_given_up) == (attempt, False)
        waits.append(row.due_in_seconds)
    assert 10 < waits[0] <= 30
    assert 1_700 < waits[-1] <= 3_600
    assert sum(waits) > 2.5 * 3_600, "greylisting is waited for, with the shortest of waits too"
    make_due(books, id)
    sender.deliver()
    assert kept(books, id).is_given_up
    server.refuses.clear()
    server.data_reply = "250 kept"
    assert sender.deliver() == 0


def test_retried_mail_has_a_new_token_and_only_that_works(
    books: Books, server: Server, ask: Callable[..., str]
) -> None:
    """As after a worker that died between handing over a mail and recording it."""
    id = ask()
    sender = postman(books, server)
    sender.deliver()
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE confirmations SET sent_at = NULL, due_at = now() WHERE id = %s", (id,))
    sender.deliver()
    first, second = (token_in(letter.get_content()) for letter in server.mail)
    assert redeem(books, first) is None
    assert redeem(books, second)


def test_claimed_mail_is_not_claimed_again(books: Books, server: Server, ask: Callable[..., str]) -> None:
    id = ask()
    assert postman(books, server)._claim()
    assert postman(books, server).deliver() == 0
    assert 20 < kept(books, id).due_in_seconds <= UNDER_WAY_SECONDS
    make_due(books, id)
    assert postman(books, server).deliver() == 1


def test_mail_server_away_costs_no_attempt_and_opens_breaker(
    books: Books, ask: Callable[..., str], logged: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    id = ask()
    with serving() as gone:
        sender = postman(books, gone)
    assert sender.deliver() == 0
    assert kept(books, id)[:3] == (0, False, None)
    assert [entry["event"] for entry in logged] == ["mail server cannot be reached"]
    with serving() as server:
        sender.mail_url = f"smtp://localhost:{server.port}"
        assert sender.deliver() == 0, "not so soon"
        assert server.connections == 0
        sender._breaker = CircuitBreaker(QUIET_SECONDS)
        assert sender.deliver() == 1


def test_silent_mail_server_is_bounded_by_the_timeout(
    books: Books, ask: Callable[..., str], logged: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask()
    monkeypatch.setattr(mail, "SMTP_TIMEOUT_SECONDS", 0.2)
    with serving(is_silent=True) as server:
        sender = postman(books, server)
        assert [sender.deliver(), sender.deliver()] == [0, 0]
        assert server.connections == 1
    assert "timed out" in logged[0]["error"]


def test_disconnect_during_a_mail_stops_the_run(
    books: Books, server: Server, ask: Callable[..., str], logged: list[dict]
) -> None:
    first, second = ask("first@example.com"), ask()
    server.refuses["first@example.com"] = "421 closing down"
    sender = postman(books, server)
    assert sender.deliver() == 0
    assert kept(books, first).attempts == 1
    assert (kept(books, second).is_sent, server.connections) == (False, 1)


# Encryption


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2",
         "-keyout", path, "-out", path.with_suffix(".crt"), "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.fixture
def encrypting(certificate: Path) -> Iterator[Server]:
    """A server that offers STARTTLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(context) as server:
        yield server


def test_offered_starttls_and_login_are_used(books: Books, encrypting: Server, ask: Callable[..., str]) -> None:
    ask()
    assert postman(books, encrypting).deliver() == 1
    assert encrypting.encrypted == [True]


@pytest.mark.parametrize(("query", "credentials"), [("?tls=required", ""), ("", "carol:p%40ss@")])
def test_required_tls_is_verified(
    books: Books,
    server: Server,
    encrypting: Server,
    certificate: Path,
    ask: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    query: str,
    credentials: str,
) -> None:
    ask()
    assert postman(books, server, query, credentials).deliver() == 0, "not offered"
    assert postman(books, encrypting, query, credentials).deliver() == 0, "the certificate is not trusted"
    for distrusted in (server, encrypting):
        assert not any(command.startswith(("AUTH", "MAIL")) for command in distrusted.commands)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert postman(books, encrypting, query, credentials).deliver() == 1
    assert encrypting.encrypted == [True]
    assert ("AUTH PLAIN AGNhcm9sAHBAc3M=" in encrypting.commands) is bool(credentials)


# The folder


def test_mail_file_is_readable_by_its_owner_only(
    books: Books, ask: Callable[..., str], tmp_path: Path, logged: list[dict]
) -> None:
    folder = tmp_path / "the mail"
    folder.mkdir()
    id = ask("carol@example.com")
    assert MailSender(books.worker, f"file://{tmp_path}/the%20mail", FROM).deliver() == 1
    (path,) = folder.iterdir()
    assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z-{id}\.eml", path.name)
    assert path.stat().st_mode & 0o777 == 0o600
    letter = message_from_bytes(path.read_bytes(), policy=default)
    assert letter["To"] == "carol@example.com"
    token = token_in(path.read_text())
    assert redeem(books, token)
    (entry,) = logged
    assert (entry["to"], entry["where"], entry["purpose"]) == ("carol@example.com", str(path), "email")
    assert token not in str(logged)


def test_missing_folder_is_handled_as_an_unavailable_server(
    books: Books, ask: Callable[..., str], tmp_path: Path, logged: list[dict]
) -> None:
    id = ask()
    sender = MailSender(books.worker, f"file://{tmp_path}/nowhere", FROM)
    assert sender.deliver() == 0
    assert kept(books, id).attempts == 0
    assert "NotADirectoryError" in logged[0]["error"]


@pytest.mark.parametrize("loss", Loss)
def test_lost_commit_of_a_claim_costs_no_attempt(
    books: Books, server: Server, ask: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: Loss
) -> None:
    """However often: nothing was mailed by then."""
    id = ask()
    url = make_url(books.database.worker)
    line = Line(tmp_path, Path(url.query["host"]) / SOCKET_NAME)
    shaky = books.open(url.update_query_dict({"host": str(tmp_path)}).render_as_string(hide_password=False))
    sender = MailSender(shaky, f"smtp://localhost:{server.port}", FROM)
    take = confirmation.take

    def take_and_lose(*args: object) -> confirmation.PendingMail | None:
        letter = take(*args)
        line.to_lose += [loss] if letter else []
        return letter

    try:
        with monkeypatch.context() as broken:
            broken.setattr(confirmation, "take", take_and_lose)
            for _ in range(ATTEMPTS_MAX + 1):
                with pytest.raises(DatabaseUnavailable):
                    sender.deliver()
        assert line.lost == [loss] * (ATTEMPTS_MAX + 1)
        assert server.mail == []
        assert sender.deliver() == 1
        assert (kept(books, id).attempts, kept(books, id).is_sent) == (1, True)
    finally:
        shaky.dispose()
        line.close()
