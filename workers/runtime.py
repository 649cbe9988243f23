"""What a worker process has once: its engine, and its poster."""

from functools import cache

import settings
from models.session import Engine, open_engine
from workers.posting import Poster


@cache
def engine() -> Engine:
    """Connections in the worker's role."""
    url = settings.load().worker_database_url
    if url is None:
        raise SystemExit("WORKER_DATABASE_URL is not set and no embedded stack is running here")
    return open_engine(url, application="payments-worker")


@cache
def poster() -> Poster:
    """The one poster of this process."""
    given = settings.load()
    return Poster(engine(), deposits_open=given.deposits_open, linger_seconds=given.posting_linger_ms / 1000)


def forget_connections() -> None:
    """After a fork: the parent's connections are the parent's; they are left to it unclosed."""
    if engine.cache_info().currsize:
        engine().dispose(close=False)
    engine.cache_clear()
    poster.cache_clear()
