"""What the gateway's processes tell each other through Redis, so that one learns at once what another did.

A notice may be lost: whoever listens must be right without it, only later.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from gateway.http import redis_client

CHANNEL = "payments:notices"
"""All subjects share it; a notice is its subject, a blank, and a word."""

SILENCE_SECONDS = 5.0
"""A line is asked after so long, and given up when it says nothing for as long again."""

RECONNECT_SECONDS = 1.0

log = structlog.get_logger("notices")


class TokenRevocations:
    """Tells the other processes, and hears them in a thread of its own, which starts with the first listener."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._telling = Redis.from_url(url, **redis_client.options(url))
        self._breaker = redis_client.RedisBreaker()
        self._listeners: dict[str, tuple[Callable[[str], None], Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_deaf = False

    def tell(self, subject: str, word: str) -> None:
        """Tell every process, this one too; never raises, and costs next to nothing while Redis is away."""
        try:
            with self._breaker.guard():
                self._telling.publish(CHANNEL, f"{subject} {word}")
        except redis_client.RedisAway:
            log.warning("the other processes are not told", subject=subject)

    def listen(self, subject: str, hear: Callable[[str], None], missed: Callable[[], None]) -> None:
        """Call `hear` with every word on the subject, and `missed` whenever some may have been lost."""
        self._listeners[subject] = (hear, missed)
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen_for_ever, name="notices", daemon=True)
                self._thread.start()

    def _listen_for_ever(self) -> None:
        while True:
            try:
                self._listen()
            except (RedisError, OSError) as error:
                if not self._is_deaf:
                    log.warning("redis is away, no notices are heard", error=type(error).__name__)
                self._is_deaf = True
            time.sleep(RECONNECT_SECONDS)

    def _listen(self) -> None:
        """Hear notices until the line breaks or falls silent."""
        redis = Redis.from_url(self._url, **redis_client.options(self._url), encoding_errors="replace")
        with redis, redis.pubsub() as line:
            line.subscribe(CHANNEL)
            is_asked = False
            while True:
                message = line.get_message(timeout=SILENCE_SECONDS)
                if message is not None:
                    is_asked = False
                    self._take(message)
                elif is_asked:
                    return
                else:
                    is_asked = True
                    line.ping()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            self._is_deaf = False
            for _, missed in list(self._listeners.values()):
                missed()
        elif message["type"] == "message":
            subject, _, word = message["data"].decode(errors="replace").partition(" ")
            if subject in self._listeners:
                self._listeners[subject][0](word)
