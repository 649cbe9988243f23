"""Where the Celery app of the test's process rings."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import celery_config
from embedded.valkey import Valkey


@contextmanager
def ringing_at(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the app ring at this server, on a connection of its own."""
    url = celery_config._broker_url(valkey.url())
    monkeypatch.setitem(celery_config.app.conf, "broker_url", url)
    monkeypatch.setattr(celery_config, "_publishing", None)
    yield
    if celery_config._publishing is not None:
        celery_config._publishing.collapse()
