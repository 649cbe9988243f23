"""psycopg2 under gevent: while a query runs, the other requests of the process go on."""

import psycopg2
from gevent.socket import wait_read, wait_write
from psycopg2.extensions import POLL_OK, POLL_READ, connection, set_wait_callback

ANSWER_SECONDS_MAX = 15.0
"""Longer than the role's statement_timeout: a server silent for so long is frozen, and the line is given up."""


def install() -> None:
    """Let every connection of this process wait in gevent's loop."""
    set_wait_callback(wait)


def wait(line: connection) -> None:
    """Wait until the server has answered; raises psycopg2.OperationalError when it does not in time."""
    silence = psycopg2.OperationalError(f"no answer from the database within {ANSWER_SECONDS_MAX:.0f} s")
    while (state := line.poll()) != POLL_OK:
        (wait_read if state == POLL_READ else wait_write)(line.fileno(), ANSWER_SECONDS_MAX, silence)
