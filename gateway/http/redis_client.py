"""Redis time-outs and a circuit breaker: a request waits briefly for Redis once, then not at all for some seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

import redis_urls
from models.circuit_breaker import CircuitBreaker

TIMEOUT_SECONDS = 0.2
"""Redis answers in less than a millisecond; after this long without an answer it counts as unavailable."""

BREAKER_SECONDS = 5.0
"""After a failure, calls through the same breaker fail at once for this long."""

log = structlog.get_logger("redis")


class RedisUnavailable(Exception):
    """Redis failed or timed out, now or a few seconds ago; the caller continues without it."""


def connect(url: str, **options: Any) -> Redis:
    """A Redis client without retries and with short time-outs."""
    timeouts = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    return redis_urls.client(url, **timeouts, retry=Retry(NoBackoff(), 0), **options)


class RedisBreaker(CircuitBreaker):
    """Keeps the requests of a process from waiting one after another for an unavailable Redis."""

    def __init__(self) -> None:
        super().__init__(BREAKER_SECONDS)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Call Redis in this block; raises RedisUnavailable, at once if it was unavailable a few seconds ago."""
        if self.is_open:
            raise RedisUnavailable
        try:
            yield
        except (RedisError, OSError) as error:
            self.open()
            log.warning("redis call failed, continuing without it", error=type(error).__name__)
            raise RedisUnavailable from error
