"""Delivery of mail: shared connections, refusals, retries, TLS, and servers that are away."""

import re
import ssl
import subprocess
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from sqlalchemy import make_url

from models import confirmation
from models.circuit_breaker import CircuitBreaker
from models.session import DatabaseUnavailable
from tests.lossy_postgres_proxy import SOCKET_NAME, Line, Loss
from tests.workers.books import Books
from tests.workers.mail_senders import FROM, kept, postman, redeem, token_in
from tests.workers.smtp_server import Server, serving
from workers import mail
from workers.mail import ATTEMPTS_MAX, QUIET_SECONDS, UNDER_WAY_SECONDS, MailSender


def make_due(books: Books, id: str) -> None:
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE confirmations SET due_at = now() WHERE id = %s", (id,))


def test_no_due_mail_opens_no_connection(books: Books, mail_server: Server) -> None:
    assert postman(books, mail_server).deliver() == 0
    assert mail_server.connections == 0


def test_delivery_without_time_leaves_mails_to_the_next_run(
    books: Books, mail_server: Server, request_mail: Callable[..., str]
) -> None:
    request_mail()
    assert postman(books, mail_server).deliver(seconds=0) == 0
    assert postman(books, mail_server).deliver() == 1


def test_permanently_refused_mail_is_given_up(
    books: Books, mail_server: Server, request_mail: Callable[..., str]
) -> None:
    unknown = request_mail("unknown@example.com")
    other = request_mail()
    mail_server.refuses["unknown@example.com"] = "550 no such user"
    assert postman(books, mail_server).deliver() == 1
    assert kept(books, other).is_sent
    row = kept(books, unknown)
    assert (row.is_sent, row.is_given_up, "550" in row.last_error) == (False, True, True)


@pytest.mark.parametrize("by", ["recipient", "content"])
def test_mail_refused_for_now_is_retried_a_limited_time(
    books: Books, mail_server: Server, request_mail: Callable[..., str], by: str
) -> None:
    id = request_mail("grey@example.com")
    if by == "recipient":
        mail_server.refuses["grey@example.com"] = "450 try later"
    else:
        mail_server.data_reply = "451 try later"
    sender, waits = postman(books, mail_server), []
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
    mail_server.refuses.clear()
    mail_server.data_reply = "250 kept"
    assert sender.deliver() == 0


def test_retried_mail_has_a_new_token_and_only_that_works(
    books: Books, mail_server: Server, request_mail: Callable[..., str]
) -> None:
    """As after a worker that died between handing over a mail and recording it."""
    id = request_mail()
    sender = postman(books, mail_server)
    sender.deliver()
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE confirmations SET sent_at = NULL, due_at = now() WHERE id = %s", (id,))
    sender.deliver()
    first, second = (token_in(letter.get_content()) for letter in mail_server.mail)
    assert redeem(books, first) is None
    assert redeem(books, second)


def test_claimed_mail_is_not_claimed_again(books: Books, mail_server: Server, request_mail: Callable[..., str]) -> None:
    id = request_mail()
    assert postman(books, mail_server)._claim()
    assert postman(books, mail_server).deliver() == 0
    assert 20 < kept(books, id).due_in_seconds <= UNDER_WAY_SECONDS
    make_due(books, id)
    assert postman(books, mail_server).deliver() == 1


def test_mail_server_away_costs_no_attempt_and_opens_breaker(
    books: Books, request_mail: Callable[..., str], mail_log: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    id = request_mail()
    with serving() as gone:
        sender = postman(books, gone)
    assert sender.deliver() == 0
    assert kept(books, id)[:3] == (0, False, None)
    assert [entry["event"] for entry in mail_log] == ["mail server cannot be reached"]
    with serving() as mail_server:
        sender.mail_url = f"smtp://localhost:{mail_server.port}"
        assert sender.deliver() == 0, "not so soon"
        assert mail_server.connections == 0
        sender._breaker = CircuitBreaker(QUIET_SECONDS)
        assert sender.deliver() == 1


def test_silent_mail_server_is_bounded_by_the_timeout(
    books: Books, request_mail: Callable[..., str], mail_log: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    request_mail()
    monkeypatch.setattr(mail, "SMTP_TIMEOUT_SECONDS", 0.2)
    with serving(is_silent=True) as mail_server:
        sender = postman(books, mail_server)
        assert [sender.deliver(), sender.deliver()] == [0, 0]
        assert mail_server.connections == 1
    assert "timed out" in mail_log[0]["error"]


def test_disconnect_during_a_mail_stops_the_run(
    books: Books, mail_server: Server, request_mail: Callable[..., str], mail_log: list[dict]
) -> None:
    first, second = request_mail("first@example.com"), request_mail()
    mail_server.refuses["first@example.com"] = "421 closing down"
    sender = postman(books, mail_server)
    assert sender.deliver() == 0
    assert kept(books, first).attempts == 1
    assert (kept(books, second).is_sent, mail_server.connections) == (False, 1)


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
    with serving(context) as mail_server:
        yield mail_server


def test_offered_starttls_and_login_are_used(
    books: Books, encrypting: Server, request_mail: Callable[..., str]
) -> None:
    request_mail()
    assert postman(books, encrypting).deliver() == 1
    assert encrypting.encrypted == [True]


@pytest.mark.parametrize(("query", "credentials"), [("?tls=required", ""), ("", "carol:p%40ss@")])
def test_required_tls_is_verified(
    books: Books,
    mail_server: Server,
    encrypting: Server,
    certificate: Path,
    request_mail: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    query: str,
    credentials: str,
) -> None:
    request_mail()
    assert postman(books, mail_server, query, credentials).deliver() == 0, "not offered"
    assert postman(books, encrypting, query, credentials).deliver() == 0, "the certificate is not trusted"
    for distrusted in (mail_server, encrypting):
        assert not any(command.startswith(("AUTH", "MAIL")) for command in distrusted.commands)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert postman(books, encrypting, query, credentials).deliver() == 1
    assert encrypting.encrypted == [True]
    assert ("AUTH PLAIN AGNhcm9sAHBAc3M=" in encrypting.commands) is bool(credentials)


# The folder


def test_mail_file_is_readable_by_its_owner_only(
    books: Books, request_mail: Callable[..., str], tmp_path: Path, mail_log: list[dict]
) -> None:
    folder = tmp_path / "the mail"
    folder.mkdir()
    id = request_mail("carol@example.com")
    assert MailSender(books.worker, f"file://{tmp_path}/the%20mail", FROM).deliver() == 1
    (path,) = folder.iterdir()
    assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z-{id}\.eml", path.name)
    assert path.stat().st_mode & 0o777 == 0o600
    letter = message_from_bytes(path.read_bytes(), policy=default)
    assert letter["To"] == "carol@example.com"
    token = token_in(path.read_text())
    assert redeem(books, token)
    (entry,) = mail_log
    assert (entry["to"], entry["where"], entry["purpose"]) == ("carol@example.com", str(path), "email")
    assert token not in str(mail_log)


def test_missing_folder_is_handled_as_an_unavailable_server(
    books: Books, request_mail: Callable[..., str], tmp_path: Path, mail_log: list[dict]
) -> None:
    id = request_mail()
    sender = MailSender(books.worker, f"file://{tmp_path}/nowhere", FROM)
    assert sender.deliver() == 0
    assert kept(books, id).attempts == 0
    assert "NotADirectoryError" in mail_log[0]["error"]


@pytest.mark.parametrize("loss", Loss)
def test_lost_commit_of_a_claim_costs_no_attempt(
    books: Books,
    mail_server: Server,
    request_mail: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loss: Loss,
) -> None:
    """However often: nothing was mailed by then."""
    id = request_mail()
    url = make_url(books.database.worker)
    line = Line(tmp_path, Path(url.query["host"]) / SOCKET_NAME)
    shaky = books.open(url.update_query_dict({"host": str(tmp_path)}).render_as_string(hide_password=False))
    sender = MailSender(shaky, f"smtp://localhost:{mail_server.port}", FROM)
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
        assert mail_server.mail == []
        assert sender.deliver() == 1
        assert (kept(books, id).attempts, kept(books, id).is_sent) == (1, True)
    finally:
        shaky.dispose()
        line.close()
