"""Processes of the gateway whose waiters lose what would wake them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.waiting import waiters
from models.change_listener import Listener
from models.session import statements
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.waiting.clients import QUICK_SECONDS, ours
from tests.support import Database

PATIENT = {"Prefer": "wait=25"}


LOST_SECONDS_MAX = waiters.TICK_SECONDS + QUICK_SECONDS
"""What a lost word may cost: one reading later, and what the test itself takes."""


@contextmanager
def another(database: Database, **changes: Any) -> Iterator[ApiHarness]:
    """A process of its own, with other settings."""
    house = ApiHarness(database, **changes)
    try:
        yield house
    finally:
        ours(house).waiters.close()


def lines(house: ApiHarness, what: str) -> Any:
    """This of the lines on which transitions are heard."""
    wanted = "FROM pg_stat_activity WHERE application_name = 'payments-waits' AND datname = current_database()"
    with statements(house.gateway) as connection:
        return connection.exec_driver_sql(f"SELECT {what} {wanted}").scalar_one()


def deposit(person: ApiUser, wallet: str, **headers: str) -> Callable[[], Any]:
    body = {"wallet": wallet, "amount": "1.00", "currency": "EUR", "source": "wire"}
    return lambda: person.order("/v1/deposits", body, **headers)


def deafen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is told from now on is lost."""
    hear = Listener.hear
    monkeypatch.setattr(Listener, "hear", lambda self, seconds: hear(self, seconds) and [])
