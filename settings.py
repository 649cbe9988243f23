"""Every environment variable, read once into one frozen object."""

import hashlib
import hmac
import json
import os
import re
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from environs import Env, EnvError
from marshmallow.validate import OneOf, Range, Regexp
from sqlalchemy import URL, make_url

STACK_FILE = Path(__file__).parent / ".run" / "stack.json"
"""Where a running embedded stack leaves its addresses, so that commands in the checkout find it."""

WORKER_ROLE = "payments_worker"
GATEWAY_ROLE = "payments_gateway"

LIBPQ_PREFIX = "PG"
"""Of the variables that PostgreSQL's server and clients read by themselves: PGHOST, PGPORT, PGOPTIONS, …"""
CELERY_PREFIXES = ("CELERY_", "GUNICORN_")
"""Of those by which Celery and gunicorn let the environment win over their settings."""

CURRENCY = "[A-Z][A-Z0-9]{2,11}"
RATE = r"^[1-9]\d{0,6} per (second|minute|hour|day)$"


@dataclass(frozen=True)
class Settings:
    """What the processes may be told from outside. Database URLs are SQLAlchemy's, None where not given."""

    database_url: str | None
    """As the owner; for migrations only."""
    worker_database_url: str | None
    gateway_database_url: str | None
    redis_url: str
    """The broker is its database 0; as the redis client spells it, also where it was given as kombu does."""
    secret_key: str
    """Signs cursors; at least 32 characters."""
    deposits_open: bool
    """Whether owners may deposit into their own wallets; else ops, or a token with scope deposits:write."""
    require_confirmation: bool
    """Whether a user must have confirmed the e-mail address before money moves on his word."""
    token_ttl_hours: int
    """How long a session lasts."""
    default_currencies: tuple[str, ...]
    """In which a worker opens wallets for a client who signed up."""
    welcome_bonus: str
    """What such a client is paid from `internal`, such as "100 USD"; empty: nothing."""
    max_wallets_per_merchant: int
    """Over all currencies; 0: as many as he likes. So is the next."""
    max_wallets_per_client: int
    mail_url: str
    """Where mail goes: smtp://user:password@host:587, smtps://…, or file:///directory."""
    mail_from: str
    rate_limit_token: str
    """Requests of one token, such as "100 per second"; so are the next two, of one network address."""
    rate_limit_address: str
    sign_up_limit: str
    """Sign-ups, and each kind of mail asked for."""
    limits_redis_url: str
    """Where limits are counted and revocations are told; apart from the broker's database."""
    waiters_max: int
    """Requests and streams of one gateway process that wait for an outcome; above that none waits."""
    waiters_per_user_max: int
    """The most of them that are one user's."""
    trusted_proxies: tuple[str, ...]
    """Networks whose X-Forwarded-For is believed."""
    allowed_hosts: tuple[str, ...]
    """Host names that requests may be addressed to; a leading dot includes subdomains, * is any."""
    allowed_origins: tuple[str, ...]
    """Web origins whose pages may call the API; none by default."""
    hold_ttl_hours: int
    """How long money is held for a charge that is captured later."""
    refunds_commission: bool
    """Whether a refund gives the merchant back its part of the commission."""
    quote_ttl_seconds: int
    """How long the rate of a quote is good."""
    webhook_http: bool
    """Whether webhooks may be sent over http too."""
    webhook_networks: tuple[str, ...]
    """Networks that webhooks may be sent to, though they are not public."""
    rail: str
    """The way out to a bank: "simulator" or "sepa"; empty: none, and no worker tells one."""
    rail_simulator_url: str
    """Where the simulated bank listens."""
    rail_timeout_seconds: int
    """How long its answer is waited for; after that it is unknown."""
    rail_outbox: str
    """Where the sepa rail leaves files for the bank, and in the next where it finds those from there."""
    rail_inbox: str
    rail_sepa_name: str
    """Whose account the sepa rail pays from, and in the next two which."""
    rail_sepa_iban: str
    rail_sepa_bic: str
    log_level: str
    preflight_durability: bool
    """Whether a PostgreSQL that could forget a commit is refused at the start."""


@cache
def load() -> Settings:
    """Settings of this process; without database URLs in the environment, those of the embedded stack running here.

    Raises environs.EnvError, in words, for a value that is wrong.
    """
    env = Env()
    given = any(env.str(f"{role}DATABASE_URL", None) for role in ("", "WORKER_", "GATEWAY_"))
    stack = {} if given else _running_stack()
    owner = normalized(env.str("DATABASE_URL", stack.get("database_url")))
    redis_url = env.str("REDIS_URL", stack.get("redis_url", "redis://localhost:6379/0"))
    redis_url = redis_url.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
    return Settings(
        database_url=owner,
        worker_database_url=normalized(env.str("WORKER_DATABASE_URL", None)) or as_role(owner, WORKER_ROLE),
        gateway_database_url=normalized(env.str("GATEWAY_DATABASE_URL", None)) or as_role(owner, GATEWAY_ROLE),
        redis_url=redis_url,
        secret_key=env.str("SECRET_KEY", stack.get("secret_key", "")),
        deposits_open=env.bool("DEPOSITS_OPEN", bool(stack)),
        require_confirmation=env.bool("REQUIRE_CONFIRMATION", True),
        token_ttl_hours=env.int("TOKEN_TTL_HOURS", 24, validate=Range(1, 24 * 365)),
        default_currencies=_words(env, "DEFAULT_CURRENCIES", "USD,EUR,CNY", CURRENCY),
        welcome_bonus=env.str("WELCOME_BONUS", "", validate=Regexp(rf"^$|^[0-9.]+ {CURRENCY}$")),
        max_wallets_per_merchant=env.int("MAX_WALLETS_PER_MERCHANT", 1, validate=Range(0, 10_000)),
        max_wallets_per_client=env.int("MAX_WALLETS_PER_CLIENT", 0, validate=Range(0, 10_000)),
        mail_url=env.str("MAIL_URL", "smtp://localhost:25", validate=Regexp(r"^(smtps?|file)://")),
        mail_from=env.str("MAIL_FROM", "Payments <payments@localhost>"),
        rate_limit_token=env.str("RATE_LIMIT_TOKEN", "100 per second", validate=Regexp(RATE)),
        rate_limit_address=env.str("RATE_LIMIT_ADDRESS", "500 per second", validate=Regexp(RATE)),
        sign_up_limit=env.str("SIGN_UP_LIMIT", "20 per hour", validate=Regexp(RATE)),
        limits_redis_url=env.str("LIMITS_REDIS_URL", None) or _beside(redis_url),
        waiters_max=env.int("WAITERS_MAX", 2_000, validate=Range(0, 10_000)),
        waiters_per_user_max=env.int("WAITERS_PER_USER_MAX", 1_000, validate=Range(0, 10_000)),
        trusted_proxies=_words(env, "TRUSTED_PROXIES", "", r"[0-9a-fA-F.:]+(/\d{1,3})?"),
        allowed_hosts=_words(env, "ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]", r"\*|[A-Za-z0-9.\-_:\[\]]+"),
        allowed_origins=_words(env, "ALLOWED_ORIGINS", "", r"https?://[A-Za-z0-9.\-\[\]]+(:\d+)?"),
        hold_ttl_hours=env.int("HOLD_TTL_HOURS", 7 * 24, validate=Range(1, 24 * 31)),
        refunds_commission=env.bool("REFUNDS_COMMISSION", True),
        quote_ttl_seconds=env.int("QUOTE_TTL_SECONDS", 60, validate=Range(1, 3600)),
        webhook_http=env.bool("WEBHOOK_HTTP", False),
        webhook_networks=_networks(_words(env, "WEBHOOK_NETWORKS", "", r"[0-9a-fA-F.:]+(/\d{1,3})?")),
        rail=env.str("RAIL", "", validate=OneOf(["", "simulator", "sepa"])),
        rail_simulator_url=env.str("RAIL_SIMULATOR_URL", "", validate=Regexp(r"^$|^https?://")),
        rail_timeout_seconds=env.int("RAIL_TIMEOUT_SECONDS", 5, validate=Range(1, 8)),
        rail_outbox=env.str("RAIL_OUTBOX", ""),
        rail_inbox=env.str("RAIL_INBOX", ""),
        rail_sepa_name=env.str("RAIL_SEPA_NAME", ""),
        rail_sepa_iban=env.str("RAIL_SEPA_IBAN", ""),
        rail_sepa_bic=env.str("RAIL_SEPA_BIC", ""),
        log_level=env.str("LOG_LEVEL", "INFO", validate=OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])),
        preflight_durability=env.bool("PREFLIGHT_DURABILITY", True),
    )


def _words(env: Env, name: str, default: str, shape: str) -> tuple[str, ...]:
    """A comma list of words of that shape; raises EnvError."""
    words = tuple(word.strip() for word in env.str(name, default).split(",") if word.strip())
    for word in words:
        if not re.fullmatch(shape, word, re.ASCII):
            raise EnvError(f"{name}: {word!r} is not of the form {shape}")
    return words


def _networks(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words, each a network such as 127.0.0.0/8; raises EnvError."""
    for word in words:
        try:
            ip_network(word)
        except ValueError as error:
            raise EnvError(f"WEBHOOK_NETWORKS: {error}") from error
    return words


def _beside(redis_url: str) -> str:
    """Database 1 of the broker's server."""
    parts = urlsplit(redis_url)
    return f"unix://{parts.netloc}{parts.path}?db=1" if parts.scheme == "unix" else parts._replace(path="/1").geturl()


def _running_stack() -> dict[str, str]:
    try:
        stack: dict[str, str] = json.loads(STACK_FILE.read_text())
    except (FileNotFoundError, PermissionError):
        return {}
    forget_variables(LIBPQ_PREFIX, *CELERY_PREFIXES)
    return stack


def forget_variables(*prefixes: str) -> None:
    """Take variables about other servers out of the environment of this process and of those it starts."""
    for name in [name for name in os.environ if name.startswith(prefixes)]:
        del os.environ[name]


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
