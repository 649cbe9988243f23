"""gunicorn's settings: processes of greenlets, loaded once and forked. `gunicorn --config gateway/serve.py wsgi:app`"""

from gevent import monkey

monkey.patch_all()

import gunicorn  # noqa: E402 - what is imported from here on must find the standard library patched
import structlog  # noqa: E402
from environs import Env  # noqa: E402
from gunicorn.config import Config  # noqa: E402
from gunicorn.glogging import Logger  # noqa: E402

import logs  # noqa: E402
import settings  # noqa: E402
from gateway import green  # noqa: E402
from models import preflight  # noqa: E402
from models.session import DatabaseAway  # noqa: E402

SECRET_KEY_LENGTH_MIN = 32

env = Env()
gunicorn.SERVER = "payments"

bind = env.str("GATEWAY_BIND", "127.0.0.1:8000")
workers = env.int("GATEWAY_WORKERS", 2)
worker_class = "gevent"
worker_connections = 1000
"""Requests a process holds at once; the rest wait in the listening socket."""
preload_app = True
backlog = 1024
timeout = 30
"""A process whose loop has not turned for so long is replaced."""
graceful_timeout = 10
"""As long as a statement may take, so that what was begun is answered; idle connections are cut off after it."""
control_socket_disable = True
keepalive = 75
limit_request_line = 4094
limit_request_fields = 50
limit_request_field_size = 8190


class Lines(Logger):
    """gunicorn's own lines go where all go; the access log is ours."""

    def setup(self, cfg: Config) -> None:
        logs.configure(settings.load().log_level)
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


logger_class = Lines


def on_starting(_: object) -> None:
    """Refuse to start with what would only fail later."""
    current = settings.load()
    if len(current.secret_key) < SECRET_KEY_LENGTH_MIN:
        raise SystemExit(f"SECRET_KEY must have at least {SECRET_KEY_LENGTH_MIN} characters")
    if current.gateway_database_url is None:
        raise SystemExit("GATEWAY_DATABASE_URL is not set")
    try:
        preflight.refuse(current.gateway_database_url, "gateway", durability=current.preflight_durability)
    except DatabaseAway:
        structlog.get_logger("gateway").warning("the database is away, starting all the same")


def post_fork(_server: object, _worker: object) -> None:
    """Connections are opened in the child, and wait in its loop."""
    green.install()
