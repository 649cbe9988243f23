"""Gateway processes whose waiters miss notifications."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.waiting import waiters
from models.change_listener import Listener
from models.session import statements
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.gateway.waiting.clients import QUICK_SECONDS, services_of
from tests.support import Database

PATIENT = {"Prefer": "wait=25"}


LOST_SECONDS_MAX = waiters.TICK_SECONDS + QUICK_SECONDS
"""The longest delay by a lost notification: one more poll, and the time of the test itself."""


@contextmanager
def another(database: Database, **changes: Any) -> Iterator[ApiHarness]:
    """A process of its own, with other settings."""
    api = ApiHarness(database, **changes)
    try:
        yield api
    finally:
        services_of(api).waiters.close()


def lines(api: ApiHarness, what: str) -> Any:
    """An aggregate over the connections that listen for transitions."""
    wanted = "FROM pg_stat_activity WHERE application_name = 'payments-waits' AND datname = current_database()"
    with statements(api.gateway) as connection:
        return connection.exec_driver_sql(f"SELECT {what} {wanted}").scalar_one()


def deposit(person: ApiUser, wallet: str, **headers: str) -> Callable[[], Any]:
    body = deposit_into(wallet)
    return lambda: person.order("/v1/deposits", body, **headers)


def deafen(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on all notifications are lost."""
    hear = Listener.hear
    monkeypatch.setattr(Listener, "hear", lambda self, seconds: hear(self, seconds) and [])
