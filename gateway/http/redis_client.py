"""How long a request may wait for Redis: a moment once, and then not at all for some seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from models.circuit_breaker import CircuitBreaker

TIMEOUT_SECONDS = 0.2
"""Redis answers in less than a millisecond; when it is silent for so long it is frozen."""

BREAKER_SECONDS = 5.0
"""After a failure nobody asks for so long."""

log = structlog.get_logger("redis")


class RedisAway(Exception):
    """Redis did not answer, now or a few seconds ago; whoever asked does without."""


def options(url: str) -> dict[str, Any]:
    """For redis.Redis.from_url: no second try, and no long wait; a Unix socket takes no connect timeout."""
    timeouts = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    if "unix://" in url:
        del timeouts["socket_connect_timeout"]
    return {**timeouts, "retry": Retry(NoBackoff(), 0)}


class RedisBreaker(CircuitBreaker):
    """Keeps the requests of a process from waiting for a dead Redis one after the other."""

    def __init__(self) -> None:
        super().__init__(BREAKER_SECONDS)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Talk to Redis in this block; raises RedisAway, at once if it was away a few seconds ago."""
        if self.is_open:
            raise RedisAway
        try:
            yield
        except (RedisError, OSError) as error:
            self.open()
            log.warning("redis is away, this process does without it", error=type(error).__name__)
            raise RedisAway from error
