"""Valkeys on which rate limits are counted and revocations are heard."""

from collections.abc import Iterator

import pytest
import redis

from embedded import home as homes
from embedded.valkey import Valkey


@pytest.fixture
def shared(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """Where limits are counted; nothing is counted yet. If a busy machine keeps it for a second, it is not away."""
    monkeypatch.setattr("gateway.http.redis_client.TIMEOUT_SECONDS", 10.0)
    with redis.Redis.from_url(valkey.url(1)) as client:
        client.flushdb()
        client.config_resetstat()
        yield client


@pytest.fixture
def frail() -> Iterator[Valkey]:
    """A Valkey of this test alone, to be frozen."""
    with homes.temporary() as home:
        server = Valkey(home)
        server.start()
        yield server
        server.stop()
