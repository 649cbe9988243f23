"""Rate limits by address and by token, counted in Redis without a round trip for each request.

A process counts alone until a tenth of the amount is used within a window; from then on it takes permits from Redis,
a twentieth of the amount at a time, and reports its earlier use. So P processes together admit at most
1 + (P - 1) / 10 times the amount; while Redis is unavailable, each admits the amount.
"""

import threading
import time
from collections.abc import Callable
from functools import cache, cached_property, wraps
from typing import Any, NamedTuple, TypeVar

import limits
from flask import Flask, Response, current_app, request
from flask_limiter import Limiter, RateLimitExceeded
from limits.storage import Storage
from redis.exceptions import RedisError

from gateway.http import redis_client
from gateway.http.access_log import NETWORK, RATE_LIMIT_STATUS, Environ
from gateway.http.errors import ApiError, render
from settings import Settings

ALONE_SHARE = 10
"""The divisor of an amount that a process uses without Redis: callers below it cost no round trip."""

PERMITS_SHARE = 20
"""The divisor of an amount that is taken from Redis at a time."""

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
    """The use of one caller in a window, and the use allowed before Redis is called; `reported` is known to Redis."""

    __slots__ = ("allowed", "by_others", "is_spent", "reported", "used")

    def __init__(self, allowed: int) -> None:
        self.used = 0
        self.allowed = allowed
        self.reported = 0
        self.by_others = 0
        self.is_spent = False


class RateLimiter:
    """An amount per window for each key; windows start at the same time in all processes.

    `policy` is its name in headers; two limits of one policy have different names in Redis.
    """

    def __init__(
        self,
        policy: str,
        amount: str,
        storage: Callable[[], Storage],
        breaker: redis_client.RedisBreaker,
        name: str = "",
    ) -> None:
        self._policy = policy
        self._name = name or policy
        self._item = limits.parse(amount)
        self._amount = self._item.amount
        self._window_seconds = self._item.get_expiry()
        self._storage = storage
        self._breaker = breaker
        self._window = 0
        self._counts: dict[str, RequestCount] = {}
        self._taking_permits = threading.Lock()

    def count(self, key: str, environ: Environ) -> None:
        """Count one request, and set the RateLimitStatus in the environment; raises ApiError above the limit."""
        now = int(time.time())
        window, elapsed_seconds = divmod(now, self._window_seconds)
        if window != self._window:
            self._window, self._counts = window, {}
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= COUNTED_MAX:
                self._counts = {}
            count = self._counts[key] = RequestCount(self._amount // ALONE_SHARE)
        is_allowed = count.used < count.allowed or self._has_permits(count, key, window)
        count.used += is_allowed
        remaining = max(0, self._amount - count.used - count.by_others) if is_allowed else 0
        seconds = self._window_seconds - elapsed_seconds
        status = RateLimitStatus(self._policy, self._amount, self._window_seconds, remaining, seconds)
        environ[RATE_LIMIT_STATUS] = status
        if not is_allowed:
            raise too_many(seconds)

    def is_spent(self, key: str) -> bool:
        """True if the amount of the key is used up in this window, as far as this process knows; counts nothing."""
        count = self._counts.get(key)
        if count is None or self._window != int(time.time()) // self._window_seconds:
            return False
        return count.used >= count.allowed and (count.is_spent or count.used >= self._amount)

    def _has_permits(self, count: RequestCount, key: str, window: int) -> bool:
        """True if more may be used; one request at a time calls Redis."""
        if count.is_spent or count.used >= self._amount:
            return False
        with self._taking_permits:
            if count.used >= count.allowed and not count.is_spent:
                self._take_permits(count, key, window)
        return count.used < count.allowed

    def _take_permits(self, count: RequestCount, key: str, window: int) -> None:
        """Take permits from Redis; while it is unavailable, from the amount of this process alone."""
        up_to = count.used + max(1, self._amount // PERMITS_SHARE)
        names = (self._name, key, str(window))
        try:
            with self._breaker.guard():
                cost = up_to - count.reported
                total = self._storage().incr(self._item.key_for(*names), self._window_seconds, amount=cost)
        except redis_client.RedisAway:
            count.allowed = min(up_to, self._amount)
            return
        excess = max(0, total - self._amount)
        count.reported = up_to
        count.by_others = max(0, total - up_to)
        count.is_spent = excess > 0
        count.allowed = up_to - excess


class RateLimits:
    """Every limit of an app, over one connection to Redis.

    An address has its amount twice: for requests with a valid token, and for all others, so that the latter cannot use
    up the former.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.limits_redis_url
        self._strict_limit = settings.sign_up_limit
        breaker = redis_client.RedisBreaker()
        by_address = settings.rate_limit_address
        self.address = RateLimiter("address", by_address, lambda: self._limiter.storage, breaker)
        self.unauthenticated = RateLimiter(
            "address", by_address, lambda: self._limiter.storage, breaker, "unauthenticated"
        )
        self.token = RateLimiter("token", settings.rate_limit_token, lambda: self._limiter.storage, breaker)

    @cached_property
    def _limiter(self) -> Limiter:
        """Created at first use, so after a fork, because it starts a thread."""
        return Limiter(
            _network,
            app=Flask("limits"),  # a separate app: its hooks would cost a tenth of a millisecond in every request
            storage_uri=f"redis+{self._url}" if self._url.startswith("unix://") else self._url,
            storage_options=redis_client.options(self._url),
            strategy="fixed-window",
            in_memory_fallback_enabled=True,
            headers_enabled=False,
        )

    def install(self, app: Flask) -> None:
        """Limit the views of the app that `per_address` marks; call it once all views are registered."""
        app.register_error_handler(RateLimitExceeded, self._answer)
        views: dict[str, Any] = app.view_functions
        for endpoint, view in views.items():
            if hasattr(view, "limited_as"):
                views[endpoint] = self._with_strict_limit(view)

    def _with_strict_limit(self, view: Any) -> Callable[..., Any]:
        @cache
        def limited() -> Callable[..., Any]:
            return self._limiter.shared_limit(self._strict_limit, scope=view.limited_as)(view)

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            return limited()(*args, **kwargs)

        return guarded

    def _answer(self, _: RateLimitExceeded) -> Response:
        """429, with the seconds until the window in Redis ends."""
        item = limits.parse(self._strict_limit)
        seconds = item.get_expiry()
        try:
            if self._limiter.current_limit is not None:
                seconds = max(1, min(seconds, self._limiter.current_limit.reset_at - int(time.time())))
        except (RedisError, OSError):
            pass  # Redis became unavailable since it counted: use the whole window
        view: Any = current_app.view_functions[request.endpoint or ""]
        status = RateLimitStatus(view.limited_as, item.amount, item.get_expiry(), 0, seconds)
        request.environ[RATE_LIMIT_STATUS] = status
        return render(too_many(seconds))


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


def _network() -> str:
    network: str = request.environ[NETWORK]
    return network
