"""Every environment variable, read once into one frozen object."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from environs import Env
from marshmallow.validate import OneOf, Range
from sqlalchemy import URL, make_url

STACK_FILE = Path(__file__).parent / ".run" / "stack.json"
"""Where a running embedded stack leaves its addresses, so that commands in the checkout find it."""

WORKER_ROLE = "payments_worker"
GATEWAY_ROLE = "payments_gateway"


@dataclass(frozen=True)
class Settings:
    """What the processes may be told from outside. Database URLs are SQLAlchemy's, None where not given."""

    database_url: str | None
    """As the owner; for migrations only."""
    worker_database_url: str | None
    gateway_database_url: str | None
    redis_url: str
    """The broker is its database 0."""
    secret_key: str
    """Signs cursors; at least 32 characters."""
    deposits_open: bool
    """Whether owners may deposit into their own wallets; else ops, or a token with scope deposits:write."""
    log_level: str
    preflight_durability: bool
    """Whether a PostgreSQL that could forget a commit is refused at the start."""
    posting_linger_ms: int
    """How long the poster waits after a small batch for the next payments: latency for throughput."""
    bell_debounce_ms: int
    """How long a gateway process collects payments before it rings once for all of them."""


@cache
def load() -> Settings:
    """Settings of this process; without database URLs in the environment, those of the embedded stack running here.

    Raises environs.EnvError, in words, for a value that is wrong.
    """
    env = Env()
    given = any(env.str(f"{role}DATABASE_URL", None) for role in ("", "WORKER_", "GATEWAY_"))
    stack = {} if given else _running_stack()
    owner = normalized(env.str("DATABASE_URL", stack.get("database_url")))
    return Settings(
        database_url=owner,
        worker_database_url=normalized(env.str("WORKER_DATABASE_URL", None)) or as_role(owner, WORKER_ROLE),
        gateway_database_url=normalized(env.str("GATEWAY_DATABASE_URL", None)) or as_role(owner, GATEWAY_ROLE),
        redis_url=env.str("REDIS_URL", stack.get("redis_url", "redis://localhost:6379/0")),
        secret_key=env.str("SECRET_KEY", stack.get("secret_key", "")),
        deposits_open=env.bool("DEPOSITS_OPEN", bool(stack)),
        log_level=env.str("LOG_LEVEL", "INFO", validate=OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])),
        preflight_durability=env.bool("PREFLIGHT_DURABILITY", True),
        posting_linger_ms=env.int("POSTING_LINGER_MS", 20, validate=Range(0, 1_000)),
        bell_debounce_ms=env.int("BELL_DEBOUNCE_MS", 20, validate=Range(1, 1_000)),
    )


def _running_stack() -> dict[str, str]:
    try:
        stack: dict[str, str] = json.loads(STACK_FILE.read_text())
        return stack
    except (FileNotFoundError, PermissionError):
        return {}


def normalized(url: str | None) -> str | None:
    """The URL with psycopg2 as its driver: a bare postgresql:// would be read as psycopg 3."""
    if not url:
        return None
    parsed = make_url(url)
    return _text(parsed.set(drivername="postgresql+psycopg2"))


def as_role(owner_url: str | None, role: str) -> str | None:
    """The owner's URL with another role and that role's derived password."""
    if not owner_url:
        return None
    url = make_url(owner_url)
    return _text(url.set(username=role, password=role_password(owner_url, role)))


def role_password(owner_url: str, role: str) -> str | None:
    """The password that the migration gives to `role`: from the owner's, which cannot be told from it."""
    secret = make_url(owner_url).password
    return hmac.new(secret.encode(), role.encode(), hashlib.sha256).hexdigest() if secret else None


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
