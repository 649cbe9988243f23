"""Settings of gunicorn: forked processes that serve with gevent; `gunicorn -c gateway/gunicorn_conf.py wsgi:app`."""

from gevent import monkey

monkey.patch_all()

import logs  # noqa: E402

logs.take_over()

import gc  # noqa: E402
import resource  # noqa: E402

import gunicorn  # noqa: E402 - what is imported from here on must find the standard library patched
import structlog  # noqa: E402
from environs import Env  # noqa: E402
from gunicorn.arbiter import Arbiter  # noqa: E402

gunicorn.SERVER = "payments"

import settings  # noqa: E402
from gateway.http import gevent_support  # noqa: E402
from gateway.http.gunicorn_worker import (  # noqa: E402 - gunicorn's Response reads the name of the server but once
    HEADER_BYTES_MAX,
    HEADERS_MAX,
    LINE_BYTES_MAX,
    Worker,
)
from models import preflight  # noqa: E402
from models.session import DatabaseAway  # noqa: E402

SECRET_KEY_LENGTH_MIN = 32

OTHERS_MAX = 1000
"""Requests that a process holds at once beside those that wait for an outcome."""

FILES_BESIDE = 100
"""What a process has open beside the lines of its callers: those to PostgreSQL and Redis, logs, sources."""

env = Env()

bind = env.str("GATEWAY_BIND", "127.0.0.1:8000")
workers = env.int("GATEWAY_WORKERS", 2)
worker_connections = settings.load().waiters_max + OTHERS_MAX
"""Requests a process holds at once; the rest wait in the listening socket."""
preload_app = True
backlog = 1024
timeout = 30
"""A process whose loop has not turned for so long is replaced."""
graceful_timeout = 10
"""As long as a statement may take, so that what was begun is answered; idle connections are cut off after it."""
control_socket_disable = True
keepalive = 75
limit_request_line = LINE_BYTES_MAX
limit_request_fields = HEADERS_MAX
limit_request_field_size = HEADER_BYTES_MAX
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
"""No header, and no peer on the same machine either, says below which path or scheme this is served."""


logs.configure(settings.load().log_level)
logger_class = logs.gunicorn_logger()
worker_class = Worker


def on_starting(_: object) -> None:
    """Refuse to start with what would only fail later."""
    current = settings.load()
    if len(current.secret_key) < SECRET_KEY_LENGTH_MIN:
        raise SystemExit(f"SECRET_KEY must have at least {SECRET_KEY_LENGTH_MIN} characters")
    if current.gateway_database_url is None:
        raise SystemExit("GATEWAY_DATABASE_URL is not set")
    _allow_files(worker_connections + FILES_BESIDE)
    try:
        preflight.check_or_exit(current.gateway_database_url, "gateway", durability=current.preflight_durability)
    except DatabaseAway:
        structlog.get_logger("gateway").warning("the database is away, starting all the same")


def _allow_files(needed: int) -> None:
    """Let each process have so many open files, or refuse to start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(
            f"{needed} open files are needed and {hard} allowed (ulimit -Hn): lower WAITERS_MAX or allow more"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def when_ready(server: Arbiter) -> None:
    """What is loaded by now stays: no process need look through it for garbage again, and they share its memory.

    The OpenAPI document is written before, so that no request waits for it.
    """
    server.app.wsgi().extensions["contract"]()
    gc.collect()
    gc.freeze()


def post_fork(_server: object, _worker: object) -> None:
    """Connections are opened in the child, and wait in its loop."""
    gevent_support.install()
