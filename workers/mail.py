"""The mail that proves an address: made out when it is sent, so that its token is nowhere but in the mail."""

import random
import smtplib
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formatdate, make_msgid
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import structlog
from email_validator import validate_email

from models import confirmation
from models import token as tokens
from models.circuit_breaker import CircuitBreaker
from models.confirmation import VALID, PendingMail, Purpose
from models.rules.retry import backoff_seconds
from models.session import DatabaseAway, Engine, transaction

log = structlog.get_logger("mail")

SMTP_PORT, SMTPS_PORT = 25, 465

SMTP_TIMEOUT_SECONDS = 5.0
"""For each word of the server's: its worker sweeps too."""

DELIVER_SECONDS = 5.0
"""How long one task delivers; the timetable goes on."""

QUIET_SECONDS = 30.0
"""After a failed connection nobody tries for so long."""

UNDER_WAY_SECONDS = 30.0
"""A mail not noted as sent by then died with its worker, and is sent again."""

ATTEMPTS_MAX = 12
"""About six hours of them: a server that greylists wants patience, one that refuses for good is asked no more."""

BACKOFF_MIN_SECONDS = 30.0
BACKOFF_MAX_SECONDS = 3600.0

REFUSED_FOR_GOOD = 500
"""From this reply on, SMTP asks not to be tried again."""

TEXTS = {
    Purpose.EMAIL: (
        "Confirm your e-mail address",
        """Somebody, most likely you, signed up with this e-mail address.

To confirm that it is yours, send this token to POST /v1/confirmations:

{token}

It works once, within {hours} hours. If it was not you, do nothing.
""",
    ),
    Purpose.PASSWORD: (
        "Set a new password",
        """Somebody, most likely you, asked for a new password.

To set one, send this token with it to POST /v1/password-resets/confirm:

{token}

It works once, within {hours} hours. If it was not you, do nothing: the old password still holds.
""",
    ),
    Purpose.WEBHOOK: (
        "A webhook endpoint has been disabled",
        """One of your webhook endpoints takes no events any more: it answered that it is gone (410), or no delivery
has succeeded for three days. GET /v1/webhook-endpoints shows which, and why.

What happens meanwhile is kept for 30 days, and sent once you make the endpoint active again.
""",
    ),
}
"""Subject and text by purpose. Nothing in them was written by whoever asked: our mail carries nobody's words."""

Send = Callable[[str, EmailMessage], str]
"""Hands over the mail of a confirmation, by its id; returns where it went. Raises OSError, which SMTP's errors are."""


class MailFailed(Exception):
    """This one mail was refused, `for_good` or for now; the message says why."""

    def __init__(self, why: str, *, for_good: bool) -> None:
        super().__init__(why)
        self.for_good = for_good


class MailSender:
    """Sends the mail that is due to the server or folder of `mail_url`; one per process."""

    def __init__(self, engine: Engine, mail_url: str, mail_from: str) -> None:
        self.engine = engine
        self.mail_url = mail_url
        self.mail_from = mail_from
        self._breaker = CircuitBreaker(QUIET_SECONDS)
        self._unsent: list[bytes] = []
        """Hashes of tokens that were taken by a commit of unknown outcome: their mails are given back."""

    def deliver(self, seconds: float = DELIVER_SECONDS) -> int:
        """Send what is due, or as much as the time allows; returns how many. Raises DatabaseAway or Contention.

        Whom the server refuses does not hold up the others; a server that is away holds up all, and costs no attempt.
        """
        deadline = time.monotonic() + seconds
        self._give_back()
        if self._breaker.is_open or not self._is_any_due():
            return 0
        sent = 0
        try:
            with _opened(self.mail_url) as send:
                while time.monotonic() < deadline and (taken := self._take()):
                    sent += self._send(send, *taken)
        except OSError as error:
            self._breaker.open()
            log.warning("mail cannot be handed over", error=_cause(error), quiet_seconds=QUIET_SECONDS)
        return sent

    def _is_any_due(self) -> bool:
        with transaction(self.engine) as connection:
            return confirmation.is_any_due(connection, ATTEMPTS_MAX)

    def _take(self) -> tuple[PendingMail, str] | None:
        """The next mail with its token, which works from now on."""
        token = tokens.new(tokens.CONFIRMATION_PREFIX)
        hash = tokens.hash_of(token)
        try:
            with transaction(self.engine) as connection:
                letter = confirmation.take(connection, hash, UNDER_WAY_SECONDS, ATTEMPTS_MAX)
        except DatabaseAway:
            self._unsent.append(hash)
            raise
        return (letter, token) if letter else None

    def _give_back(self) -> None:
        for hash in tuple(self._unsent):
            with transaction(self.engine) as connection:
                confirmation.give_back(connection, hash)
            self._unsent.remove(hash)

    def _send(self, send: Send, letter: PendingMail, token: str) -> bool:
        try:
            where = send(letter.id, self._made_out(letter, token))
        except MailFailed as error:
            self._note_failed(letter, error, error.for_good)
            return False
        except OSError as error:
            self._note_failed(letter, error)
            raise
        with transaction(self.engine) as connection:
            confirmation.note_sent(connection, letter.id)
        log.info("mailed", confirmation=letter.id, purpose=letter.purpose, to=letter.email, where=where)
        return True

    def _note_failed(self, letter: PendingMail, error: Exception, for_good: bool = False) -> None:
        for_good = for_good or letter.attempts >= ATTEMPTS_MAX
        jitter = random.random()  # noqa: S311 - no secret
        wait = backoff_seconds(letter.attempts, jitter, BACKOFF_MIN_SECONDS, BACKOFF_MAX_SECONDS)
        with transaction(self.engine) as connection:
            confirmation.note_failed(connection, letter.id, _cause(error), None if for_good else wait)
        log.warning("mail failed", confirmation=letter.id, to=letter.email, error=_cause(error), given_up=for_good)

    def _made_out(self, letter: PendingMail, token: str) -> EmailMessage:
        subject, text = TEXTS[Purpose(letter.purpose)]
        mail = EmailMessage()
        try:
            mail["To"] = _spelled_for_smtp(letter.email)
        except ValueError as error:
            raise MailFailed(str(error), for_good=True) from error
        mail["From"] = self.mail_from
        mail["Subject"] = subject
        mail["Date"] = formatdate(usegmt=True)
        mail["Message-ID"] = make_msgid(letter.id, domain=self.mail_from.rpartition("@")[2].rstrip("> "))
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text.format(token=token, hours=VALID // timedelta(hours=1)))
        return mail


def _spelled_for_smtp(email: str) -> str:
    """The address with its domain in ASCII, which every server takes; raises ValueError if it is none."""
    return email if email.isascii() else validate_email(email, check_deliverability=False).ascii_email or email


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _opened(mail_url: str) -> AbstractContextManager[Send]:
    return _folder(mail_url) if mail_url.startswith("file:") else _server(mail_url)


@contextmanager
def _folder(mail_url: str) -> Iterator[Send]:
    """A folder of .eml files, for who looks at mail by hand."""
    folder = Path(unquote(urlsplit(mail_url).path))
    if not folder.is_dir():
        raise NotADirectoryError(folder)

    def send(id: str, mail: EmailMessage) -> str:
        path = folder / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{id}.eml"
        with tempfile.NamedTemporaryFile("wb", dir=folder, prefix=".", delete=False) as half:  # mode 0600
            half.write(mail.as_bytes(policy=EmailPolicy(utf8=True)))
        Path(half.name).replace(path)
        return str(path)

    yield send


@contextmanager
def _server(mail_url: str) -> Iterator[Send]:
    """One connection to an SMTP server; with a password, or ?tls=required, to none that TLS does not vouch for."""
    url = urlsplit(mail_url)
    must_be_safe = url.username is not None or parse_qs(url.query).get("tls") == ["required"]
    tls = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(url.hostname or "", url.port or SMTPS_PORT, timeout=SMTP_TIMEOUT_SECONDS, context=tls)
        if url.scheme == "smtps"
        else smtplib.SMTP(url.hostname or "", url.port or SMTP_PORT, timeout=SMTP_TIMEOUT_SECONDS)
    ) as server:
        server.ehlo_or_helo_if_needed()
        if url.scheme == "smtp" and (must_be_safe or server.has_extn("starttls")):
            if not must_be_safe:  # better than nothing, as between all mail servers
                tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
            server.starttls(context=tls)
        if url.username is not None:
            server.login(unquote(url.username), unquote(url.password or ""))

        def send(_id: str, mail: EmailMessage) -> str:
            try:
                server.send_message(mail)
            except smtplib.SMTPRecipientsRefused as error:
                (code, why) = next(iter(error.recipients.values()))
                raise MailFailed(f"{code} {why!r}", for_good=code >= REFUSED_FOR_GOOD) from error
            except smtplib.SMTPDataError as error:
                raise MailFailed(_cause(error), for_good=False) from error
            except smtplib.SMTPNotSupportedError as error:  # an address that is not ASCII before its @
                raise MailFailed(_cause(error), for_good=True) from error
            return url.hostname or ""

        yield send
