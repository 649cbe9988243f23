"""Logs: one JSON object per line on standard output, with the fields that the context binds (request_id)."""

import io
import json
import logging
import os
import re
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

import structlog

_ROWS = re.compile(r"^(DETAIL:  |LINE \d+: ).*$", re.MULTILINE)
"""PostgreSQL's details of an error: the failing row and a part of the statement, both with values."""

_TOKEN = re.compile(r"\b((?:pay|cfm|wal)_)[\w-]{16,}([\w-]{4})", re.ASCII)
"""A token of a user, a mail or a wallet that was misplaced in a path or in an unreadable request."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m", re.ASCII)
"""Terminal colours in the output of libraries."""


def without_tokens(text: str) -> str:
    """The text with each token reduced to its prefix and last characters."""
    return _TOKEN.sub(r"\1...\2", text)


def without_secrets(_: object, __: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    """Processor: removes tokens and, from tracebacks, the values of rows, which include password hashes."""
    line["event"] = without_tokens(_ROWS.sub(r"\1...", str(line["event"])))
    if "exception" in line:
        line["exception"] = without_tokens(_ROWS.sub(r"\1...", line["exception"]))
    return line


SHARED: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
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
