"""The settings: environment variables, read once into one frozen object."""

import atexit
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from pathlib import Path

from environs import Env, EnvError, FileAwareEnv
from marshmallow.validate import Length, OneOf, Range, Regexp

import redis_urls
from database_urls import as_role, normalized

STACK_FILE = Path(__file__).parent / ".run" / "stack.json"
"""File with the addresses of the running embedded stack, so that commands in the checkout find it."""

WORKER_ROLE = "payments_worker"
GATEWAY_ROLE = "payments_gateway"

LIBPQ_PREFIX = "PG"
"""Prefix of the variables that PostgreSQL's server and clients read themselves: PGHOST, PGPORT, PGOPTIONS, …"""
CELERY_PREFIXES = ("CELERY_", "GUNICORN_")
"""Prefixes of the variables by which Celery and gunicorn let the environment override their settings."""

METRICS_FILES = "PROMETHEUS_MULTIPROC_DIR"
"""Variable with the directory in which the processes of a service count; prometheus-client reads it at its import."""

COLORS = ("red", "amber", "green", "blue", "violet", "gray")
"""Of the environment's name on the pages."""

CURRENCY = "[A-Z][A-Z0-9]{2,11}"
KEY = "[0-9a-fA-F]{64}|[A-Za-z0-9+/_-]{43}=?"
_KEY_OR_NONE = Regexp(rf"^({KEY}|)\Z", error="Not 32 bytes in hexadecimal digits or base64.")
RATE = r"^[1-9]\d{0,6} per (second|minute|hour|day)$"


@dataclass(frozen=True)
class Settings:
    """The settings of a process. Database URLs are SQLAlchemy's, None where not set."""

    database_url: str | None
    """With the owner's role; for migrations only."""
    worker_database_url: str | None
    gateway_database_url: str | None
    listen_database_url: str | None
    database_replica_url: str | None
    """A streaming replica that lists, exports, statements and closings are read from; the next is how far behind."""
    replica_lag_seconds_max: int
    database_pooler: str
    """"transaction": a pooler may give each transaction another session, and LISTEN goes past it by the URL above."""
    broker_url: str
    """Of RabbitMQ, or of Redis, database 0; in the Redis client's spelling, even if it was set in kombu's."""
    secret_key: str
    """Signs cursors; at least 32 characters."""
    receipt_key: str
    """Private key that signs checkpoints: 32 bytes, in hexadecimal digits or base64; empty: none are signed."""
    auditor_freezes_max: int
    """Most wallets that the auditor freezes at a time because a row breaks an invariant of the books; 0: none."""
    deposits_open: bool
    """Whether owners may deposit into their own wallets; else ops, or a token with scope deposits:write."""
    require_confirmation: bool
    """Whether users must confirm their e-mail address before they can move money."""
    require_second_factor: bool
    """Whether ops users and auditors must have a second factor, and prove it again before what is hard to undo."""
    second_factor_keys: tuple[str, ...]
    """Keys that encrypt the secrets of second factors, 32 bytes each, as `receipt_key`; the first one for new ones."""
    token_ttl_hours: int
    """Lifetime of a session."""
    pages_lifetime_hours: int
    """Lifetime of a session that was opened by the pages; the next is the time after which it ends unused."""
    pages_idle_minutes: int
    secure_cookies: bool
    """Whether browsers send the pages' cookies over https alone."""
    environment_name: str
    """Shown on every page with the next one: what people must not mistake for another."""
    environment_color: str
    release: str
    """Version of the running code, shown on the pages."""
    default_currencies: tuple[str, ...]
    """Currencies in which a worker opens wallets for a new client."""
    welcome_bonus: str
    """Bonus of a new client, paid from `internal`, such as "100 USD"; empty: none."""
    max_wallets_per_merchant: int
    """Over all currencies; 0 means unlimited. The next one likewise."""
    max_wallets_per_client: int
    mail_url: str
    """Destination of mail: smtp://user:password@host:587, smtps://…, or file:///directory."""
    mail_from: str
    rate_limit_token: str
    """Limit per token, such as "100 per second"; the next two are per network address."""
    rate_limit_address: str
    sign_up_limit: str
    """Limit of sign-ups, and of each kind of requested mail."""
    limits_redis_url: str
    """Counts limits and publishes revocations; separate from the broker's database."""
    waiters_max: int
    """Most requests and streams of one gateway process that wait for an outcome, and of these of one user."""
    waiters_per_user_max: int
    large_reads_max: int
    """Closings, statements and files that one gateway process reads at once."""
    queue_age_max_seconds: int
    """New payments are refused while others have been due for longer; 0: never."""
    trusted_proxies: tuple[str, ...]
    """Networks whose X-Forwarded-For is trusted."""
    allowed_hosts: tuple[str, ...]
    """Host names that requests may be addressed to; a leading dot includes subdomains, * is any."""
    allowed_origins: tuple[str, ...]
    """Web origins whose pages may call the API; none by default."""
    hold_ttl_hours: int
    posting_lanes: int
    """Duration of the hold of a charge that is captured later."""
    refunds_commission: bool
    """Whether a refund gives the merchant back its part of the commission."""
    quote_ttl_seconds: int
    """Validity of a quote's rate."""
    webhook_http: bool
    """Whether webhooks may be sent over http too."""
    webhook_networks: tuple[str, ...]
    """Networks that are not public, and that webhooks may be sent to all the same."""
    rail: str
    """The connection to a bank: "simulator" or "sepa"; empty: none, and no worker sends payouts."""
    rail_simulator_url: str
    rail_timeout_seconds: int
    """Time limit of its answer; after that the outcome is unknown."""
    rail_outbox: str
    """Folder of the sepa rail's files for the bank; the next is that of files from the bank."""
    rail_inbox: str
    rail_sepa_name: str
    """Holder of the account that the sepa rail pays from; the next two are its IBAN and BIC."""
    rail_sepa_iban: str
    rail_sepa_bic: str
    log_level: str
    preflight_durability: bool
    """Whether processes refuse to start on a PostgreSQL that could lose a commit."""
    metrics_token: str
    """What GET /metrics requires; the gateway has no such route without it."""
    metrics_bind: str
    """Where a worker serves its metrics: host:port, or fd://N for a socket that it inherits; empty: nowhere."""
    sentry_dsn: str
    """Where errors are told; empty: nowhere. The next one likewise for traces."""
    otlp_endpoint: str
    canary_url: str
    """The gateway that `flask ops canary` pays at, with the token of a user, or by the next two."""
    canary_token: str
    canary_email: str
    canary_password: str
    canary_wallets: tuple[str, ...]
    """The tokens of the two wallets, both of that user."""


@cache
def load() -> Settings:
    """The settings of this process; without database URLs in the environment, those of a running embedded stack.

    The value of any variable may stand in a file that NAME_FILE names, as secrets of containers do.
    Raises environs.EnvError for an invalid value, ValueError if such a file cannot be read.
    """
    env = FileAwareEnv(strip_whitespace=True)
    stack = {} if any(env.str(f"{who}DATABASE_URL", None) for who in ("", "WORKER_", "GATEWAY_")) else _running_stack()
    owner = normalized(env.str("DATABASE_URL", stack.get("database_url")))
    redis_url = redis_urls.normalized(env.str("REDIS_URL", stack.get("redis_url", "redis://localhost:6379/0")))
    return Settings(
        database_url=owner,
        worker_database_url=normalized(env.str("WORKER_DATABASE_URL", None)) or as_role(owner, WORKER_ROLE),
        gateway_database_url=normalized(env.str("GATEWAY_DATABASE_URL", None)) or as_role(owner, GATEWAY_ROLE),
        listen_database_url=normalized(env.str("LISTEN_DATABASE_URL", None)),
        database_replica_url=normalized(env.str("DATABASE_REPLICA_URL", None)),
        replica_lag_seconds_max=env.int("REPLICA_LAG_SECONDS_MAX", 5, validate=Range(1, 3600)),
        database_pooler=env.str("DATABASE_POOLER", "", validate=OneOf(["", "transaction"])),
        broker_url=redis_urls.normalized(env.str("BROKER_URL", stack.get("broker_url", redis_url))),
        secret_key=env.str("SECRET_KEY", stack.get("secret_key", "")),
        receipt_key=env.str("RECEIPT_KEY", stack.get("receipt_key", ""), validate=_KEY_OR_NONE),
        auditor_freezes_max=env.int("AUDITOR_FREEZES_MAX", 0, validate=Range(0, 10_000)),
        deposits_open=env.bool("DEPOSITS_OPEN", bool(stack)),
        require_confirmation=env.bool("REQUIRE_CONFIRMATION", True),
        require_second_factor=env.bool("REQUIRE_SECOND_FACTOR", not stack),
        second_factor_keys=_words(env, "SECOND_FACTOR_KEYS", stack.get("second_factor_keys", ""), KEY, is_secret=True),
        token_ttl_hours=env.int("TOKEN_TTL_HOURS", 24, validate=Range(1, 24 * 365)),
        pages_lifetime_hours=env.int("PAGES_LIFETIME_HOURS", 12, validate=Range(1, 24 * 365)),
        pages_idle_minutes=env.int("PAGES_IDLE_MINUTES", 30, validate=Range(1, 24 * 60)),
        secure_cookies=env.bool("SECURE_COOKIES", not stack),
        environment_name=env.str("ENVIRONMENT_NAME", "development" if stack else "production", validate=Length(1, 40)),
        environment_color=env.str("ENVIRONMENT_COLOR", "green" if stack else "red", validate=OneOf(COLORS)),
        release=env.str("RELEASE", "unreleased", validate=Length(1, 40)),
        default_currencies=_words(env, "DEFAULT_CURRENCIES", "USD,EUR,CNY", CURRENCY),
        welcome_bonus=env.str("WELCOME_BONUS", "", validate=Regexp(rf"^$|^[0-9.]+ {CURRENCY}$")),
        max_wallets_per_merchant=env.int("MAX_WALLETS_PER_MERCHANT", 1, validate=Range(0, 10_000)),
        max_wallets_per_client=env.int("MAX_WALLETS_PER_CLIENT", 0, validate=Range(0, 10_000)),
        mail_url=env.str("MAIL_URL", "smtp://localhost:25", validate=Regexp(r"^(smtps?|file)://")),
        mail_from=env.str("MAIL_FROM", "Payments <payments@localhost>"),
        rate_limit_token=env.str("RATE_LIMIT_TOKEN", "100 per second", validate=Regexp(RATE)),
        rate_limit_address=env.str("RATE_LIMIT_ADDRESS", "500 per second", validate=Regexp(RATE)),
        sign_up_limit=env.str("SIGN_UP_LIMIT", "20 per hour", validate=Regexp(RATE)),
        limits_redis_url=env.str("LIMITS_REDIS_URL", None) or redis_urls.beside(redis_url),
        waiters_max=env.int("WAITERS_MAX", 2_000, validate=Range(0, 10_000)),
        waiters_per_user_max=env.int("WAITERS_PER_USER_MAX", 1_000, validate=Range(0, 10_000)),
        large_reads_max=env.int("LARGE_READS_MAX", 2, validate=Range(1, 7)),
        queue_age_max_seconds=env.int("QUEUE_AGE_MAX_SECONDS", 300, validate=Range(0, 24 * 3600)),
        trusted_proxies=_words(env, "TRUSTED_PROXIES", "", r"[0-9a-fA-F.:]+(/\d{1,3})?"),
        allowed_hosts=_words(env, "ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]", r"\*|[A-Za-z0-9.\-_:\[\]]+"),
        allowed_origins=_words(env, "ALLOWED_ORIGINS", "", r"https?://[A-Za-z0-9.\-\[\]]+(:\d+)?"),
        hold_ttl_hours=env.int("HOLD_TTL_HOURS", 7 * 24, validate=Range(1, 24 * 31)),
        posting_lanes=env.int("POSTING_LANES", 2, validate=Range(1, 4)),
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
        metrics_token=env.str("METRICS_TOKEN", "", validate=Regexp(r"^$|^[\x21-\x7e]{16,}$")),
        sentry_dsn=env.str("SENTRY_DSN", "", validate=Regexp(r"^$|^https?://")),
        otlp_endpoint=env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "", validate=Regexp(r"^$|^https?://")),
        canary_url=env.str("CANARY_URL", "", validate=Regexp(r"^$|^https?://")),
        canary_token=env.str("CANARY_TOKEN", ""),
        canary_email=env.str("CANARY_EMAIL", ""),
        canary_password=env.str("CANARY_PASSWORD", ""),
        canary_wallets=_words(env, "CANARY_WALLETS", "", r"wal_[\w-]+"),
        metrics_bind=env.str("METRICS_BIND", "", validate=Regexp(r"^$|^fd://\d+$|^.+:\d+$")),
    )


def _words(env: Env, name: str, default: str, shape: str, *, is_secret: bool = False) -> tuple[str, ...]:
    """A comma-separated list of words of that shape; raises EnvError, which does not repeat a secret."""
    words = tuple(word.strip() for word in env.str(name, default).split(",") if word.strip())
    for word in words:
        if not re.fullmatch(shape, word, re.ASCII):
            raise EnvError(f"{name}: {'a word' if is_secret else repr(word)} is not of the form {shape}")
    return words


def _networks(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words, each a network such as 127.0.0.0/8; raises EnvError."""
    for word in words:
        try:
            ip_network(word)
        except ValueError as error:
            raise EnvError(f"WEBHOOK_NETWORKS: {error}") from error
    return words


def _running_stack() -> dict[str, str]:
    try:
        stack: dict[str, str] = json.loads(STACK_FILE.read_text())
    except (FileNotFoundError, PermissionError):
        return {}
    forget_variables(LIBPQ_PREFIX, *CELERY_PREFIXES)
    return stack


def forget_variables(*prefixes: str) -> None:
    """Remove variables about other servers from the environment of this process and its children."""
    for name in [name for name in os.environ if name.startswith(prefixes)]:
        del os.environ[name]


def begin_metrics() -> None:
    """Empty the directory in which the processes of this service count, or make one; none if metrics are not served.

    Call it when a service starts, before `metrics` is imported.
    """
    given = os.environ.pop(METRICS_FILES, "")
    if not (load().metrics_token or load().metrics_bind):
        return
    directory = Path(given or tempfile.mkdtemp(prefix="payments-metrics-"))
    if not given:
        atexit.register(_remove_if_in, os.getpid(), directory)
    directory.mkdir(parents=True, exist_ok=True)
    for file in directory.glob("*.db"):
        file.unlink()
    os.environ[METRICS_FILES] = str(directory)


def metrics_files() -> Path | None:
    """The directory in which the processes of this service count; None if this one counts for itself alone."""
    directory = os.environ.get(METRICS_FILES)
    if directory and not os.access(directory, os.W_OK):  # a command run by another user
        del os.environ[METRICS_FILES]
        return None
    return Path(directory) if directory else None


def _remove_if_in(pid: int, directory: Path) -> None:
    if os.getpid() == pid:  # forked processes end before the one that made it
        shutil.rmtree(directory, ignore_errors=True)
