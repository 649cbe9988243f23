"""Fixtures of pytest: `pytest_plugins = ["payments_client.testing.fixtures"]` in your conftest.py.

`fake_payments` needs nothing. `payments_stack` needs a checkout of the API, named by PAYMENTS_CHECKOUT.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from payments_client.testing.fake import FakePayments
from payments_client.testing.stack import RunningStack, WebhookInbox, running

CHECKOUT = "PAYMENTS_CHECKOUT"


@pytest.fixture
def fake_payments() -> FakePayments:
    """A fake without users."""
    return FakePayments()


@pytest.fixture(scope="session")
def payments_stack() -> Iterator[RunningStack]:
    """The real API on this machine, for the whole session."""
    checkout = os.environ.get(CHECKOUT)
    if not checkout:
        pytest.fail(f"set {CHECKOUT} to the path of a checkout of the payments API")
    with running(Path(checkout)) as stack:
        yield stack


@pytest.fixture
def payments_inbox(payments_stack: RunningStack) -> Iterator[Callable[..., WebhookInbox]]:
    """Makes an endpoint: `payments_inbox("shop", "payment.*")` receives the webhooks of a user."""
    with ExitStack() as opened:

        def inbox(name: str, *event_types: str) -> WebhookInbox:
            client = opened.enter_context(payments_stack.client(name))
            return opened.enter_context(closing(WebhookInbox(client, *event_types)))

        yield inbox
