"""Sending mail to users: its token is created at sending, so that it exists nowhere but in the mail."""

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
from models.confirmation import INVITATION_VALID, VALID, PendingMail, Purpose
from models.rules.retry import backoff_seconds
from models.session import DatabaseUnavailable, Engine, transaction

log = structlog.get_logger("mail")

SMTP_PORT, SMTPS_PORT = 25, 465

SMTP_TIMEOUT_SECONDS = 5.0
"""For each reply of the server: the same worker sweeps too."""

DELIVER_SECONDS = 5.0
"""Duration of one task; the timetable sends it again."""

QUIET_SECONDS = 30.0
"""After a failed connection the server is left alone for this time."""

UNDER_WAY_SECONDS = 30.0
"""A mail not recorded as sent within this time is sent again: its worker died."""

ATTEMPTS_MAX = 12
"""About six hours of attempts, for servers that greylist; a permanent refusal is not tried again."""

BACKOFF_MIN_SECONDS = 30.0
BACKOFF_MAX_SECONDS = 3600.0

REFUSED_FOR_GOOD = 500
"""The first SMTP reply code of permanent failures."""

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
        """Someone, most likely you, asked for a new password.

To set one, send this token with it to POST /v1/password-resets/confirm:

{token}

It works once, within {hours} hours. If it was not you, do nothing: the old password still holds.
""",
    ),
    Purpose.INVITATION: (
        "You are invited to act for a merchant",
        """Someone who acts for a merchant invited this e-mail address to act for them too.

To accept, send this token to POST /v1/invitations/accept, with your name and a new password if you have no user here:

{token}

It works once, within {hours} hours. If you expected nothing of the kind, do nothing.
""",
    ),
    Purpose.WEBHOOK: (
        "A webhook endpoint has been disabled",
        """One of your webhook endpoints takes no events any more: it answered that it is gone (410), or no delivery
has succeeded for three days. GET /v1/webhook-endpoints shows which, and why.

Events that happen meanwhile are stored for 30 days, and sent once you activate the endpoint again.
""",
    ),
}
"""Subject and text by purpose. They contain no text of the requester, so that the mail cannot be abused for spam."""

Send = Callable[[str, EmailMessage], str]
"""Sends the mail of a confirmation, by its id; returns the destination. Raises OSError, which SMTP's errors are."""


class MailFailed(Exception):
    """The server refused this mail, permanently (`for_good`) or for now; the message is the reason."""

    def __init__(self, reason: str, *, for_good: bool) -> None:
        super().__init__(reason)
        self.for_good = for_good


class MailSender:
    """Sends due mail to the server or folder of `mail_url`; one per process."""

    def __init__(self, engine: Engine, mail_url: str, mail_from: str) -> None:
        self.engine = engine
        self.mail_url = mail_url
        self.mail_from = mail_from
        self._breaker = CircuitBreaker(QUIET_SECONDS)
        self._unsent: list[bytes] = []
        """Token hashes of mails claimed by a commit of unknown outcome: these mails are released."""

    def deliver(self, seconds: float = DELIVER_SECONDS) -> int:
        """Send due mail, or as much as the time allows; returns how many. Raises DatabaseUnavailable or Contention.

        A refused recipient does not delay the others; an unreachable server delays all, and costs no attempt.
        """
        deadline = time.monotonic() + seconds
        self._release()
        if self._breaker.is_open or not self._is_any_due():
            return 0
        sent = 0
        try:
            with _open(self.mail_url) as send:
                while time.monotonic() < deadline and (claimed := self._claim()):
                    sent += self._send(send, *claimed)
        except OSError as error:
            self._breaker.open()
            log.warning("mail server cannot be reached", error=_cause(error), quiet_seconds=QUIET_SECONDS)
        return sent

    def _is_any_due(self) -> bool:
        with transaction(self.engine) as connection:
            return confirmation.is_any_due(connection, ATTEMPTS_MAX)

    def _claim(self) -> tuple[PendingMail, str] | None:
        """Claim the next mail, with its new token, which is valid from now on."""
        token = tokens.new(tokens.CONFIRMATION_PREFIX)
        hash = tokens.hash_of(token)
        try:
            with transaction(self.engine) as connection:
                pending = confirmation.take(connection, hash, UNDER_WAY_SECONDS, ATTEMPTS_MAX)
        except DatabaseUnavailable:
            self._unsent.append(hash)
            raise
        return (pending, token) if pending else None

    def _release(self) -> None:
        for hash in tuple(self._unsent):
            with transaction(self.engine) as connection:
                confirmation.give_back(connection, hash)
            self._unsent.remove(hash)

    def _send(self, send: Send, pending: PendingMail, token: str) -> bool:
        try:
            where = send(pending.id, self._compose(pending, token))
        except MailFailed as error:
            self._note_failed(pending, error, error.for_good)
            return False
        except OSError as error:
            self._note_failed(pending, error)
            raise
        with transaction(self.engine) as connection:
            confirmation.note_sent(connection, pending.id)
        log.info("mailed", confirmation=pending.id, purpose=pending.purpose, to=pending.email, where=where)
        return True

    def _note_failed(self, pending: PendingMail, error: Exception, for_good: bool = False) -> None:
        for_good = for_good or pending.attempts >= ATTEMPTS_MAX
        jitter = random.random()  # noqa: S311 - no secret
        wait = backoff_seconds(pending.attempts, jitter, BACKOFF_MIN_SECONDS, BACKOFF_MAX_SECONDS)
        with transaction(self.engine) as connection:
            confirmation.note_failed(connection, pending.id, _cause(error), None if for_good else wait)
        log.warning("mail failed", confirmation=pending.id, to=pending.email, error=_cause(error), given_up=for_good)

    def _compose(self, pending: PendingMail, token: str) -> EmailMessage:
        subject, text = TEXTS[Purpose(pending.purpose)]
        valid = INVITATION_VALID if pending.purpose == Purpose.INVITATION else VALID
        mail = EmailMessage()
        try:
            mail["To"] = _smtp_address(pending.email)
        except ValueError as error:
            raise MailFailed(str(error), for_good=True) from error
        mail["From"] = self.mail_from
        mail["Subject"] = subject
        mail["Date"] = formatdate(usegmt=True)
        mail["Message-ID"] = make_msgid(pending.id, domain=self.mail_from.rpartition("@")[2].rstrip("> "))
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text.format(token=token, hours=valid // timedelta(hours=1)))
        return mail


def _smtp_address(email: str) -> str:
    """The address with its domain in ASCII, which every server accepts; raises ValueError if it is invalid."""
    return email if email.isascii() else validate_email(email, check_deliverability=False).ascii_email or email


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _open(mail_url: str) -> AbstractContextManager[Send]:
    return _folder(mail_url) if mail_url.startswith("file:") else _server(mail_url)


@contextmanager
def _folder(mail_url: str) -> Iterator[Send]:
    """Send into a folder of .eml files, for development."""
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
    """Send over one SMTP connection; with a password or ?tls=required, TLS with a valid certificate is mandatory."""
    url = urlsplit(mail_url)
    requires_tls = url.username is not None or parse_qs(url.query).get("tls") == ["required"]
    tls = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(url.hostname or "", url.port or SMTPS_PORT, timeout=SMTP_TIMEOUT_SECONDS, context=tls)
        if url.scheme == "smtps"
        else smtplib.SMTP(url.hostname or "", url.port or SMTP_PORT, timeout=SMTP_TIMEOUT_SECONDS)
    ) as server:
        server.ehlo_or_helo_if_needed()
        if url.scheme == "smtp" and (requires_tls or server.has_extn("starttls")):
            if not requires_tls:  # unverified TLS is better than none, as between mail servers
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
            except smtplib.SMTPNotSupportedError as error:  # an address whose local part is not ASCII
                raise MailFailed(_cause(error), for_good=True) from error
            return url.hostname or ""

        yield send
