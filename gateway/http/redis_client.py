"""Redis time-outs and a circuit breaker: a request waits briefly for Redis once, then not at all for some seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from models.circuit_breaker import CircuitBreaker

TIMEOUT_SECONDS = 0.2
"""Redis answers in less than a millisecond; after this long without an answer it counts as unavailable."""

BREAKER_SECONDS = 5.0
"""After a failure, calls through the same breaker fail at once for this long."""

log = structlog.get_logger("redis")


class RedisUnavailable(Exception):
    """Redis failed or timed out, now or a few seconds ago; the caller continues without it."""


def options(url: str) -> dict[str, Any]:
    """Keyword arguments of a Redis client: no retry and short time-outs; a Unix socket takes no connect timeout."""
    timeouts = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    if "unix://" in url:
        del timeouts["socket_connect_timeout"]
    return {**timeouts, "retry": Retry(NoBackoff(), 0)}


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
