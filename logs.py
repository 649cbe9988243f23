"""Logs: one JSON object a line, on standard output, with what the context binds (request_id)."""

import logging
import re
import sys

import structlog

_ROWS = re.compile(r"^(DETAIL:  |LINE \d+: ).*$", re.MULTILINE)
"""What PostgreSQL adds to an error: the row that failed, a piece of the statement, with the values in both."""

_TOKEN = re.compile(r"\b((?:pay|cfm|wal)_)[\w-]{16,}([\w-]{4})", re.ASCII)
"""A token of a user, of a mail or of a wallet, astray in a path or in a request that nobody can read."""


def without_tokens(text: str) -> str:
    """The text, with of each token its prefix and its end."""
    return _TOKEN.sub(r"\1...\2", text)


def without_secrets(_: object, __: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    """Processor: takes out tokens and, of a traceback, the values of rows, hashes of passwords among them."""
    line["event"] = without_tokens(line["event"])
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
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ROUTINE_LOGGERS:
        logging.getLogger(name).setLevel("DEBUG" if level == "DEBUG" else max(logging.WARNING, root.level))
