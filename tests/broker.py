"""Where the Celery app of the test's process rings."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import bell
import broker
import celery_config
from embedded.valkey import Valkey


@contextmanager
def ringing_at(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the app ring at this server, on a connection of its own."""
    url = broker.url(valkey.url())
    monkeypatch.setitem(celery_config.app.conf, "broker_url", url)
    monkeypatch.setattr(bell, "_publishing", None)
    yield
    if bell._publishing is not None:
        bell._publishing.release()


def freeze(valkey: Valkey) -> None:
    """SIGSTOP: it accepts connections and answers nothing."""
    os.kill(valkey.pid, signal.SIGSTOP)


def thaw(valkey: Valkey) -> None:
    """Let it go on, if it lives."""
    if valkey.is_alive:
        os.kill(valkey.pid, signal.SIGCONT)
