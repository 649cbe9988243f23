"""Rate limits by address and by token, counted in Redis without a round trip for each request.

A process counts alone until a tenth of the amount is used within a window; from then on it takes permits from Redis,
a twentieth of the amount at a time, and reports its earlier use. So P processes together admit at most
1 + (P - 1) / 10 times the amount; while Redis is unavailable, each admits the amount. An exact limit, of a rarely
called route, takes each permit from Redis.
"""

import threading
import time
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, NamedTuple, TypeVar

import limits
from flask import current_app, request
from limits.storage import RedisStorage

import metrics
from gateway.http import redis_client
from gateway.http.access_log import NETWORK, RATE_LIMIT_STATUS, Environ
from gateway.http.errors import ApiError
from gateway.http.event_loop import run_in_thread
from settings import Settings

LOCAL_DIVISOR = 10
"""A process admits a tenth of an amount before it asks Redis: callers that use less cost no round trip."""

PERMITS_DIVISOR = 20
"""A process takes a twentieth of an amount from Redis at a time."""

COUNTED_MAX = 100_000
"""Addresses, or tokens, counted within a window; above that a process drops its own counts, not those in Redis."""

View = TypeVar("View", bound=Callable[..., Any])


class RateLimitStatus(NamedTuple):
    """The state of a limit for a caller: requests that remain, and seconds until the window ends."""

    policy: str
    amount: int
    window_seconds: int
    remaining: int
    seconds: int

    def headers(self) -> list[tuple[str, str]]:
        """The headers of draft-ietf-httpapi-ratelimit-headers-10."""
        return [
            ("RateLimit-Policy", f'"{self.policy}";q={self.amount};w={self.window_seconds}'),
            ("RateLimit", f'"{self.policy}";r={self.remaining};t={self.seconds}'),
        ]


class RequestCount:
    """The requests of one caller in a window, as this process counts them and as Redis knows them."""

    __slots__ = ("is_exhausted", "permits", "reported", "used", "used_elsewhere")

    def __init__(self, permits: int) -> None:
        self.used = 0
        """Requests that this process admitted."""
        self.permits = permits
        """Requests that it may admit in this window before it calls Redis again."""
        self.reported = 0
        """Requests of this process that Redis has counted, used or not yet."""
        self.used_elsewhere = 0
        """Requests of other processes, when Redis was called last."""
        self.is_exhausted = False
        """True if Redis has no permits left in this window."""


class LimitsRedis:
    """The Redis client that all limits of a process share, and its circuit breaker."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.breaker = redis_client.RedisBreaker()

    @cached_property
    def storage(self) -> RedisStorage:
        """Created at first use, so after a fork."""
        return RedisStorage("redis://", connection_pool=redis_client.connect(self._url).connection_pool)


class RateLimiter:
    """An amount per window for each key; windows start at the same time in all processes.

    `policy` is its name in headers; two limits of one policy have different names in Redis.
    """

    def __init__(self, policy: str, amount: str, redis: LimitsRedis, *, name: str = "", is_exact: bool = False) -> None:
        self._policy = policy
        self._name = name or policy
        metrics.preset(metrics.RATE_LIMITED, (self._name,))
        self._item = limits.parse(amount)
        self._amount = self._item.amount
        self._window_seconds = self._item.get_expiry()
        self._is_exact = is_exact
        self._local_permits = 0 if is_exact else self._amount // LOCAL_DIVISOR
        self._permits_per_call = 1 if is_exact else max(1, self._amount // PERMITS_DIVISOR)
        self._redis = redis
        self._window = 0
        self._counts: dict[str, RequestCount] = {}
        self._taking_permits = threading.Lock()

    def count(self, key: str, environ: Environ) -> None:
        """Count one request; raises ApiError above the limit.

        Sets the RateLimitStatus in the environment; an exact limit does so only when it refuses; otherwise
        it would overwrite the status of the address.
        """
        now = int(time.time())
        window, elapsed_seconds = divmod(now, self._window_seconds)
        if window != self._window:
            self._window, self._counts = window, {}
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= COUNTED_MAX:
                self._counts = {}
            count = self._counts[key] = RequestCount(self._local_permits)
        is_allowed = self._admit(count, key, window)
        remaining = max(0, self._amount - count.used - count.used_elsewhere) if is_allowed else 0
        seconds = self._window_seconds - elapsed_seconds
        if not (is_allowed and self._is_exact):
            status = RateLimitStatus(self._policy, self._amount, self._window_seconds, remaining, seconds)
            environ[RATE_LIMIT_STATUS] = status
        if not is_allowed:
            metrics.RATE_LIMITED.labels(self._name).inc()
            raise too_many(seconds)

    def is_exhausted(self, key: str) -> bool:
        """True if the amount of the key is used up in this window, as far as this process knows; counts nothing."""
        count = self._counts.get(key)
        if count is None or self._window != int(time.time()) // self._window_seconds:
            return False
        return count.used >= count.permits and (count.is_exhausted or count.used >= self._amount)

    def _admit(self, count: RequestCount, key: str, window: int) -> bool:
        """True if one more request is within the limit, and counted; one at a time calls Redis.

        Another request may use the permits first that this one took: then it takes others.
        """
        while count.used >= count.permits:
            if count.is_exhausted or count.used >= self._amount:
                return False
            run_in_thread(self._take_permits_if_used, count, key, window)
        count.used += 1
        return True

    def _take_permits_if_used(self, count: RequestCount, key: str, window: int) -> None:
        with self._taking_permits:
            if count.used >= count.permits and not count.is_exhausted:
                self._take_permits(count, key, window)

    def _take_permits(self, count: RequestCount, key: str, window: int) -> None:
        """Take permits from Redis; while it is unavailable, from the amount of this process alone."""
        up_to = count.used + self._permits_per_call
        names = (self._name, key, str(window))
        try:
            with self._redis.breaker.guard():
                cost = up_to - count.reported
                total = self._redis.storage.incr(self._item.key_for(*names), self._window_seconds, amount=cost)
        except redis_client.RedisUnavailable:
            count.permits = min(up_to, self._amount)
            return
        excess = max(0, total - self._amount)
        count.reported = up_to
        count.used_elsewhere = max(0, total - up_to)
        count.is_exhausted = excess > 0
        count.permits = up_to - excess


class RateLimits:
    """Every limit of an app, over one Redis client.

    An address has its amount twice: for requests with a valid token, and for all others, so that the latter cannot use
    up the former.
    """

    def __init__(self, settings: Settings) -> None:
        redis, by_address = LimitsRedis(settings.limits_redis_url), settings.rate_limit_address
        self.address = RateLimiter("address", by_address, redis)
        self.unauthenticated = RateLimiter("address", by_address, redis, name="unauthenticated")
        self.token = RateLimiter("token", settings.rate_limit_token, redis)
        self._by_name = cache(lambda name: RateLimiter(name, settings.sign_up_limit, redis, is_exact=True))

    def count_marked(self) -> None:
        """Count a request to a view that `per_address` marks, before its token and body are read; raises ApiError."""
        name = getattr(current_app.view_functions.get(request.endpoint or ""), "limited_as", None)
        if name is not None and request.method != "OPTIONS":
            self._by_name(name).count(request.environ[NETWORK], request.environ)


def per_address(name: str) -> Callable[[View], View]:
    """Decorator: a low limit per network address, counted under this name; goes below `public` or `requires`.

    Every call is counted in Redis, so use it for rarely called routes.
    """

    def decorator(view: View) -> View:
        view.limited_as = name  # type: ignore[attr-defined]
        return view

    return decorator


def too_many(seconds: int) -> ApiError:
    """The error for a request above a limit, which may be repeated after these seconds."""
    return ApiError("rate_limited", f"Try again in {seconds} s.", headers={"Retry-After": str(seconds)})
