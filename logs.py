"""Logs: one JSON object a line, on standard output, with what the context binds (request_id)."""

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
"""What PostgreSQL adds to an error: the row that failed, a piece of the statement, with the values in both."""

_TOKEN = re.compile(r"\b((?:pay|cfm|wal)_)[\w-]{16,}([\w-]{4})", re.ASCII)
"""A token of a user, of a mail or of a wallet, astray in a path or in a request that nobody can read."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m", re.ASCII)
"""What a library colours its words with."""


def without_tokens(text: str) -> str:
    """The text, with of each token its prefix and its end."""
    return _TOKEN.sub(r"\1...\2", text)


def without_secrets(_: object, __: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    """Processor: takes out tokens and, of a traceback, the values of rows, hashes of passwords among them."""
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
"""What both structlog's and the standard library's records pass."""


ROUTINE_LOGGERS = ("celery.beat", "celery.worker.strategy", "celery.app.trace", "httpx")
"""Loggers of libraries that write an INFO line for each task sent, received and done, and for each call to the bank.

They are heard at DEBUG only: the timetable sends several tasks a second, so an idle stack would fill the disk.
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
    """Standard output, for whole lines; one that cannot be written, to a full disk say, is lost and stops nothing."""

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
    """A stream of a process that serves: what somebody prints there is an entry of the log, not a line of its own."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, stream: TextIO, name: str, level: int) -> None:
        super().__init__()
        self._stream = stream
        self._log = logging.getLogger(name)
        self._level = level
        self._begun = threading.local()

    def write(self, text: str) -> int:
        """Keep what is written until a line is complete; several lines written at once are one entry."""
        whole = getattr(self._begun, "text", "") + text
        if not whole.endswith("\n"):
            self._begun.text = whole
        else:
            self._begun.text = ""
            words = _COLOUR.sub("", whole).strip()
            if words and not getattr(self._begun, "is_logging", False):  # else logging itself complains
                self._begun.is_logging = True
                try:
                    self._log.log(self._level, "%s", words)
                finally:
                    self._begun.is_logging = False
        return len(text)

    def flush(self) -> None:
        """Nothing is held back but the beginning of a line."""

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True


_output: Output | None = None


def output() -> Output:
    """Where logs go."""
    return _output or Output(sys.stdout)


def take_over(level: str = "INFO") -> None:
    """As `configure`, for a process that serves: what it prints, warns of or does not catch goes to the log as well.

    Call it first of all: libraries keep the streams they find.
    """
    global _output  # noqa: PLW0603 - one a process
    if _output is None:
        _output = Output(sys.stdout)
        sys.stdout, sys.stderr = (
            Printed(sys.stdout, "stdout", logging.INFO),
            Printed(sys.stderr, "stderr", logging.ERROR),
        )
        sys.excepthook = uncaught
        threading.excepthook = lambda given: uncaught(given.exc_type, given.exc_value, given.exc_traceback)
        sys.unraisablehook = lambda given: uncaught(given.exc_type, given.exc_value, given.exc_traceback)
        logging.captureWarnings(True)
    configure(level)


def uncaught(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    """Log an exception that ended a process, a thread or a greenlet."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        logging.getLogger("uncaught").critical("uncaught exception", exc_info=(kind, error or kind(), traceback))


def gunicorn_logger() -> type:
    """The class of a logger whose lines go where all go; there is no access log of gunicorn's."""
    from gunicorn.glogging import Logger  # noqa: PLC0415 - workers have no gunicorn

    class Lines(Logger):
        def setup(self, cfg: object) -> None:
            super().setup(cfg)
            self.error_log.handlers.clear()
            self.error_log.propagate = True

    return Lines


def say(words: str) -> None:
    """Log from the handler of a signal: by one write, past all buffers and locks."""
    line = {"event": words, "logger": "signal", "level": "info", "timestamp": datetime.now(UTC).isoformat()}
    with suppress(OSError):
        os.write(1, f"{json.dumps(line)}\n".encode())
