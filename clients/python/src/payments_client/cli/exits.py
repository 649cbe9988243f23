"""How commands end: the documented exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import click

from payments_client import (
    Forbidden,
    NoAnswer,
    PaymentFailed,
    PaymentsError,
    RateLimited,
    ServerError,
    StillPending,
    Unauthorized,
)


class Exit(IntEnum):
    """What a script learns."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_PERMITTED = 4
    NO_ANSWER = 5
    PENDING = 6


EXITS: tuple[tuple[tuple[type[PaymentsError], ...], Exit], ...] = (
    ((PaymentFailed,), Exit.FAILED),
    ((Unauthorized, Forbidden), Exit.NOT_PERMITTED),
    ((NoAnswer, ServerError, RateLimited), Exit.NO_ANSWER),
    ((StillPending,), Exit.PENDING),
    ((PaymentsError,), Exit.REFUSED),
)
"""The first that fits."""


@contextmanager
def ended() -> Iterator[None]:
    """End the command with the code of an error, and its message on standard error."""
    try:
        yield
    except PaymentsError as error:
        key = getattr(error, "idempotency_key", None)
        click.echo(f"{error}{f'; the idempotency key was {key}' if key else ''}", err=True)
        raise SystemExit(next(code for kinds, code in EXITS if isinstance(error, kinds))) from None
