"""Settings of gunicorn with forked workers: `gunicorn -c gateway/gunicorn_conf.py wsgi:app`."""

import logs

logs.take_over()

import gc  # noqa: E402 - the log is ours before anything else is imported
import os  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402

import structlog  # noqa: E402
from environs import Env  # noqa: E402
from gunicorn.arbiter import Arbiter  # noqa: E402

import settings  # noqa: E402
import telemetry  # noqa: E402

settings.begin_metrics()

from gateway.http import open_connections  # noqa: E402
from gateway.http.gunicorn_worker import Worker  # noqa: E402
from models import client_timeout, preflight  # noqa: E402
from models.session import DatabaseUnavailable  # noqa: E402

SECRET_KEY_LENGTH_MIN = 32

OTHERS_MAX = 1000
"""Concurrent requests of a process besides those that wait for an outcome."""

SWITCH_SECONDS = 0.0005
"""A tenth of Python's own interval: the event loop waits for no more than that while a page is rendered."""

OTHER_FILES = 100
"""Open files of a process besides client connections: PostgreSQL, Redis, logs, sources."""

env = Env()

bind = env.str("GATEWAY_BIND", "127.0.0.1:8000")
workers = env.int("GATEWAY_WORKERS", max(1, len(os.sched_getaffinity(0)) // 2))
"""One for two cores: the other one is PostgreSQL's and the workers', and each process has its own groups to commit."""
worker_connections = settings.load().waiters_max + OTHERS_MAX
"""Concurrent requests of a process; further ones wait in the listening socket."""
preload_app = True
backlog = 1024
timeout = 30
"""A process whose event loop is blocked for this long is replaced."""
graceful_timeout = 10
"""As long as a statement may take, so that running requests are answered; then idle connections are closed."""
control_socket_disable = True

logs.configure(settings.load().log_level)
logger_class = logs.gunicorn_logger()
worker_class = Worker


def on_starting(_: object) -> None:
    """Refuse to start with settings that would fail later."""
    current = settings.load()
    if len(current.secret_key) < SECRET_KEY_LENGTH_MIN:
        raise SystemExit(f"SECRET_KEY must have at least {SECRET_KEY_LENGTH_MIN} characters")
    if not current.second_factor_keys:
        raise SystemExit("SECOND_FACTOR_KEYS is not set")
    if current.gateway_database_url is None:
        raise SystemExit("GATEWAY_DATABASE_URL is not set")
    if current.database_pooler and current.listen_database_url in (None, current.gateway_database_url):
        raise SystemExit("LISTEN_DATABASE_URL must lead past the pooler, to PostgreSQL itself")
    _allow_files(worker_connections + OTHER_FILES)
    try:
        preflight.check_or_exit(current.gateway_database_url, "gateway", durability=current.preflight_durability)
        if current.database_replica_url:
            preflight.check_replica(current.gateway_database_url, current.database_replica_url)
    except DatabaseUnavailable:
        structlog.get_logger("gateway").warning("the database is unavailable, starting anyway")


def _allow_files(needed: int) -> None:
    """Raise the limit of open files of each process to `needed`, or refuse to start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(
            f"{needed} open files are needed and {hard} allowed (ulimit -Hn): lower WAITERS_MAX or allow more"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def when_ready(server: Arbiter) -> None:
    """Freeze the objects loaded so far: garbage collection skips them, and processes share their memory.

    The OpenAPI document is generated first, so that no request waits for it.
    """
    server.app.wsgi().extensions["contract"]()
    gc.collect()
    gc.freeze()


def post_fork(_server: object, _worker: object) -> None:
    """Bound the waits for the database, and let threads that compute give way to the event loop."""
    client_timeout.install()
    sys.setswitchinterval(SWITCH_SECONDS)
    telemetry.start("gateway")


def child_exit(_server: object, worker: Worker) -> None:
    """Let no process leave connections to one that has ended."""
    open_connections.forget(worker.age)


def worker_exit(server: Arbiter, _worker: object) -> None:
    """Close the connections of a process that ends, so that PostgreSQL and Redis see it leave."""
    server.app.wsgi().extensions["gateway"].close()
    telemetry.stop()
