"""Logs: one JSON object per line on standard output, with the fields that the context binds (request_id)."""

import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

import structlog

_ROWS = re.compile(r"^(DETAIL:  |LINE \d+: ).*$", re.MULTILINE)
"""PostgreSQL's details of an error: the failing row and a part of the statement, both with values."""

_TOKEN = re.compile(r"\b((?:pay|cfm|wal)_)[\w-]{16,}([\w-]{4})", re.ASCII)
"""A token of a user, a mail or a wallet that was misplaced in a path or in an unreadable request."""

_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.ASCII)
"""What looks like an IBAN, with or without blanks; its check digits decide."""
_IBAN_MODULUS = 97
_IBAN_LENGTH_MIN = 15

PERSONAL = frozenset({"name", "debtor_name", "creditor_name", "counterparty", "to", "email"})
"""Fields of a line that hold a person's name or address: the first character stays, to tell lines apart."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m", re.ASCII)
"""Terminal colours in the output of libraries."""


def without_tokens(text: str) -> str:
    """The text with each token reduced to its prefix and last characters."""
    return _TOKEN.sub(r"\1...\2", text)


def masked(text: str) -> str:
    """The text without tokens, IBANs and, from tracebacks, the values of rows, which include password hashes."""
    return _IBAN.sub(_masked_iban, without_tokens(_ROWS.sub(r"\1...", text)))


def _masked_iban(match: re.Match[str]) -> str:
    """The IBAN that the match begins with, by its country and last characters, and what follows it; or the match."""
    for end in range(len(match[0]), _IBAN_LENGTH_MIN - 1, -1):
        iban = match[0][:end].replace(" ", "")
        digits = "".join(str(int(character, 36)) for character in iban[4:] + iban[:4])
        if int(digits) % _IBAN_MODULUS == 1 and len(iban) >= _IBAN_LENGTH_MIN:
            return f"{iban[:2]}...{iban[-4:]}{match[0][end:]}"
    return match[0]


def without_secrets(_: object, __: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    """Processor: masks every text of the line, and fields with names and addresses of people."""
    line["event"] = str(line["event"])
    for key, value in line.items():
        if isinstance(value, str):
            line[key] = value[:1] + "..." if key in PERSONAL else masked(value)
    return line


Report = Callable[[structlog.types.EventDict, BaseException | None], None]

_reports: list[Report] = []


def report_errors_to(report: Report) -> None:
    """Call this for each line of level error, with the exception that it is about, if any."""
    _reports[:] = [report]


def _report(_: object, level: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    """Processor: tell of errors elsewhere too."""
    if _reports and level in ("error", "critical", "exception"):
        about = line.get("exc_info")
        error = about if isinstance(about, BaseException) else (about[1] if isinstance(about, tuple) else None)
        if about is True:
            error = sys.exc_info()[1]
        for report in _reports:
            report(line, error)
    return line


SHARED: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _report,
    structlog.processors.format_exc_info,
    without_secrets,
]
"""Processors of both structlog's and the standard library's records."""

ROUTINE_LOGGERS = ("celery.beat", "celery.worker.strategy", "celery.app.trace", "httpx")
"""Loggers of libraries that write an INFO line for each task sent, received and done, and for each call to the bank.

They log at DEBUG only: the timetable sends several tasks a second, so an idle stack would fill the disk.
"""


def formatter() -> logging.Formatter:
    """Renders a record as one line."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )


def configure(level: str) -> None:
    """Send structlog's and the standard library's records through one JSON renderer."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output())
    handler.setFormatter(formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ROUTINE_LOGGERS:
        logging.getLogger(name).setLevel("DEBUG" if level == "DEBUG" else max(logging.WARNING, root.level))


class Output(io.TextIOBase):
    """Standard output; a line that cannot be written, for example to a full disk, is dropped without an error."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


class Printed(io.TextIOBase):
    """Replaces stdout or stderr of a server process: printed text becomes a log entry instead of a bare line."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, stream: TextIO, name: str, level: int) -> None:
        super().__init__()
        self._stream = stream
        self._log = logging.getLogger(name)
        self._level = level
        self._begun = threading.local()

    def write(self, text: str) -> int:
        """Buffer the text until a line is complete; several lines written at once are one entry."""
        whole = getattr(self._begun, "text", "") + text
        if not whole.endswith("\n"):
            self._begun.text = whole
        else:
            self._begun.text = ""
            words = _COLOUR.sub("", whole).strip()
            if words and not getattr(self._begun, "is_logging", False):  # else logging itself reports an error
                self._begun.is_logging = True
                try:
                    self._log.log(self._level, "%s", words)
                finally:
                    self._begun.is_logging = False
        return len(text)

    def flush(self) -> None:
        """Do nothing: only an incomplete line is buffered."""

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True


_output: Output | None = None


def output() -> Output:
    """The stream that logs are written to."""
    return _output or Output(sys.stdout)


def take_over(level: str = "INFO") -> None:
    """Configure the logs of a server process: printed text, warnings and uncaught exceptions are logged as well.

    Call it before any other import: libraries keep the streams they find.
    """
    global _output  # noqa: PLW0603 - one a process
    if _output is None:
        _output = Output(sys.stdout)
        sys.stdout, sys.stderr = (
            Printed(sys.stdout, "stdout", logging.INFO),
            Printed(sys.stderr, "stderr", logging.ERROR),
        )
        sys.excepthook = uncaught
        threading.excepthook = lambda args: uncaught(args.exc_type, args.exc_value, args.exc_traceback)
        sys.unraisablehook = lambda args: uncaught(args.exc_type, args.exc_value, args.exc_traceback)
        logging.captureWarnings(True)
    configure(level)


def uncaught(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    """Log an exception that ended a process, a thread or a greenlet."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        logging.getLogger("uncaught").critical("uncaught exception", exc_info=(kind, error or kind(), traceback))


def gunicorn_logger() -> type:
    """The class of gunicorn's logger, whose records go to the common log; gunicorn's access log is off."""
    from gunicorn.glogging import Logger  # noqa: PLC0415 - workers have no gunicorn

    class RootLogger(Logger):
        def setup(self, cfg: object) -> None:
            super().setup(cfg)
            self.error_log.handlers.clear()
            self.error_log.propagate = True

    return RootLogger


def say(text: str) -> None:
    """Log from a signal handler: by one write, without buffers and locks."""
    line = {"event": text, "logger": "signal", "level": "info", "timestamp": datetime.now(UTC).isoformat()}
    with suppress(OSError):
        os.write(1, f"{json.dumps(line)}\n".encode())
