"""Notices between gateway processes through Redis pub/sub, so that a revoked token is rejected everywhere at once.

A notice may be lost: a listener must become correct without it, only later.
"""

import threading
from collections.abc import Callable

import structlog
from redis.exceptions import RedisError

from gateway.http import redis_client

CHANNEL = "payments:notices"
"""A notice is the word `revoked`, a blank, and the id of the user whose tokens changed."""

REVOKED = "revoked"

SILENCE_SECONDS = 5.0
"""A silent connection is pinged after this time, and dropped if it stays silent for as long again."""

RECONNECT_SECONDS = 1.0

log = structlog.get_logger("notices")


class TokenRevocations:
    """Publishes revocations of a user's tokens, and receives those of all processes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._publisher = redis_client.connect(url)
        self._breaker = redis_client.RedisBreaker()
        self._closed = threading.Event()
        self._is_disconnected = False

    def publish(self, user_id: str) -> None:
        """Notify every process, this one included; never raises, and returns at once while Redis is unavailable."""
        try:
            with self._breaker.guard():
                self._publisher.publish(CHANNEL, f"{REVOKED} {user_id}")
        except redis_client.RedisUnavailable:
            log.warning("a revocation was not published")

    def listen(self, on_revoked: Callable[[str], None], on_gap: Callable[[], None]) -> None:
        """Call `on_revoked` with the user id of every notice, and `on_gap` whenever some may be lost, in a thread."""
        threading.Thread(target=self._run, args=(on_revoked, on_gap), name="notices", daemon=True).start()

    def close(self) -> None:
        """Stop receiving, within the time that a silent connection takes to be pinged."""
        self._closed.set()

    def _run(self, on_revoked: Callable[[str], None], on_gap: Callable[[], None]) -> None:
        while not self._closed.is_set():
            try:
                self._listen(on_revoked, on_gap)
            except (RedisError, OSError) as error:
                if not self._is_disconnected:
                    log.warning("redis is unavailable, no notices are received", error=type(error).__name__)
                self._is_disconnected = True
            self._closed.wait(RECONNECT_SECONDS)

    def _listen(self, on_revoked: Callable[[str], None], on_gap: Callable[[], None]) -> None:
        """Receive notices until the connection breaks or falls silent."""
        redis = redis_client.connect(self._url, encoding_errors="replace")
        with redis, redis.pubsub() as subscription:
            subscription.subscribe(CHANNEL)
            is_pinged = False
            while not self._closed.is_set():
                message = subscription.get_message(timeout=SILENCE_SECONDS)
                if message is not None:
                    is_pinged = False
                    if message["type"] == "subscribe":
                        self._is_disconnected = False
                        on_gap()
                    elif message["type"] == "message":
                        word, _, user_id = message["data"].decode(errors="replace").partition(" ")
                        if word == REVOKED:
                            on_revoked(user_id)
                elif is_pinged:
                    return
                else:
                    is_pinged = True
                    subscription.ping()
