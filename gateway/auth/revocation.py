"""Notices between gateway processes through Redis pub/sub, so that a revoked token is rejected everywhere at once.

A notice may be lost: a listener must become correct without it, only later.
"""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from gateway.http import redis_client

CHANNEL = "payments:notices"
"""All subjects share this channel; a notice is its subject, a blank, and a value."""

SILENCE_SECONDS = 5.0
"""A silent connection is pinged after this time, and dropped if it stays silent for as long again."""

RECONNECT_SECONDS = 1.0

log = structlog.get_logger("notices")


class TokenRevocations:
    """Publishes notices, and receives them in a thread of its own, which starts with the first listener."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._publisher = Redis.from_url(url, **redis_client.options(url))
        self._breaker = redis_client.RedisBreaker()
        self._listeners: dict[str, tuple[Callable[[str], None], Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = threading.Event()
        self._is_disconnected = False

    def publish(self, subject: str, value: str) -> None:
        """Notify every process, this one included; never raises, and returns at once while Redis is unavailable."""
        try:
            with self._breaker.guard():
                self._publisher.publish(CHANNEL, f"{subject} {value}")
        except redis_client.RedisAway:
            log.warning("a notice was not published", subject=subject)

    def listen(self, subject: str, on_notice: Callable[[str], None], on_gap: Callable[[], None]) -> None:
        """Call `on_notice` with the value of every notice of the subject, and `on_gap` whenever some may be lost."""
        self._listeners[subject] = (on_notice, on_gap)
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop receiving, within the time that a silent connection takes to be pinged."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except (RedisError, OSError) as error:
                if not self._is_disconnected:
                    log.warning("redis is unavailable, no notices are received", error=type(error).__name__)
                self._is_disconnected = True
            self._closed.wait(RECONNECT_SECONDS)

    def _listen(self) -> None:
        """Receive notices until the connection breaks or falls silent."""
        redis = Redis.from_url(self._url, **redis_client.options(self._url), encoding_errors="replace")
        with redis, redis.pubsub() as subscription:
            subscription.subscribe(CHANNEL)
            is_pinged = False
            while not self._closed.is_set():
                message = subscription.get_message(timeout=SILENCE_SECONDS)
                if message is not None:
                    is_pinged = False
                    self._dispatch(message)
                elif is_pinged:
                    return
                else:
                    is_pinged = True
                    subscription.ping()

    def _dispatch(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            self._is_disconnected = False
            for _, on_gap in list(self._listeners.values()):
                on_gap()
        elif message["type"] == "message":
            subject, _, value = message["data"].decode(errors="replace").partition(" ")
            if subject in self._listeners:
                self._listeners[subject][0](value)
