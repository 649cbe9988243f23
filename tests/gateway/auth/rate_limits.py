"""Rate limits as a process has them, a Valkey that is frozen, and the answer to a request too many."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from embedded.valkey import Valkey
from gateway.auth import rate_limit
from gateway.auth.rate_limit import RateLimits
from gateway.http.errors import ApiError
from tests.gateway.harness import settings_for
from tests.support import Database

NOTICEABLE_SECONDS = 10.0
"""On a busy machine; waiting each time would take several times as long."""


@contextmanager
def frozen(server: Valkey) -> Iterator[None]:
    """The server takes connections in this block, and answers nothing."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def limits_for(database: Database, url: str, **changes: Any) -> RateLimits:
    """The limits of an app, as those of one more process."""
    return RateLimits(settings_for(database, limits_redis_url=url, **changes))


def passes(limit: rate_limit.RateLimiter, key: str = "k", most: int = 5_000) -> int:
    """The number of requests that the limit lets through before it refuses one."""
    for number in range(most):
        try:
            limit.count(key, {})
        except ApiError:
            return number
    return most


def scripts_run(shared: redis.Redis) -> int:
    return sum(stat["calls"] for name, stat in shared.info("commandstats").items() if "evalsha" in name)


def assert_too_many(answer: Any, policy: str, amount: int, window: int = 86_400) -> None:
    assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= window
    assert answer.headers["RateLimit-Policy"] == f'"{policy}";q={amount};w={window}'
    assert answer.headers["RateLimit"] == f'"{policy}";r=0;t={answer.headers["Retry-After"]}'
