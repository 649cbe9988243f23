"""The singletons of a worker process: its engine, and the objects that do the work."""

import time
from functools import cache
from typing import TYPE_CHECKING

import structlog

import metrics
import settings
from models import client_timeout, currency, heartbeat
from models import preflight as preflights
from models.checkpoint import SigningKey
from models.rules.webhook_url import UrlPolicy, networks_of
from models.session import POOL_SIZE, DatabaseUnavailable, Engine, open_engine, transaction
from models.worker_view import WORKER_PREFIX
from workers.mail import MailSender
from workers.onboarding import BonusError, Onboarding, parse_bonus
from workers.posting.poster import Poster
from workers.rails import RailError, open_rail
from workers.rails.payouts import PayoutSender

if TYPE_CHECKING:
    from workers.webhooks.dispatcher import Dispatcher

log = structlog.get_logger("worker")

RECONNECT_SECONDS = 1.0

APPLICATION_LENGTH_MAX = 63
"""PostgreSQL cuts the name of a connection here."""

HEARTBEAT_SECONDS = 2.0
"""A busy worker records its heartbeat no more often than this."""


@cache
def engine() -> Engine:
    """Connections in the worker's role."""
    application = f"{WORKER_PREFIX}{worker_name}" if worker_name else WORKER_PREFIX.strip()
    keeps_plans = not settings.load().database_pooler
    opened = open_engine(_url(), application=application[:APPLICATION_LENGTH_MAX], keeps_plans=keeps_plans)
    metrics.watch_pool(opened, POOL_SIZE)
    return opened


def _url() -> str:
    url = settings.load().worker_database_url
    if url is None:
        raise SystemExit("WORKER_DATABASE_URL is not set and no embedded stack is running here")
    return url


def owner_engine() -> Engine:
    """Connections in the owner's role, for what an operator alone may do."""
    url = settings.load().database_url
    if url is None:
        raise SystemExit("DATABASE_URL is not set: only the owner of the database may do this")
    return open_engine(url, application="payments-owner")


@cache
def poster() -> Poster:
    """The poster of this process."""
    config = settings.load()
    return Poster(
        engine(),
        deposits_open=config.deposits_open,
        hold_ttl_hours=config.hold_ttl_hours,
        refunds_commission=config.refunds_commission,
        lanes=config.posting_lanes,
    )


@cache
def onboarding() -> Onboarding:
    """The onboarding of this process."""
    config = settings.load()
    return Onboarding(engine(), config.default_currencies, config.welcome_bonus, config.max_wallets_per_client)


@cache
def signing_key() -> SigningKey | None:
    """The key that signs checkpoints; None if there is none."""
    key = settings.load().receipt_key
    return SigningKey(key) if key else None


def freezes_max() -> int:
    """How many wallets may be frozen for breaches of the books at a time."""
    return settings.load().auditor_freezes_max


@cache
def mail_sender() -> MailSender:
    """The mail sender of this process."""
    config = settings.load()
    return MailSender(engine(), config.mail_url, config.mail_from)


@cache
def payout_sender() -> PayoutSender:
    """The payout sender of this process; raises RailError."""
    return PayoutSender(engine(), open_rail(settings.load()))


@cache
def dispatcher() -> "Dispatcher":
    """The dispatcher of this process."""
    from workers.webhooks.dispatcher import Dispatcher  # noqa: PLC0415 - its client is for this process alone
    from workers.webhooks.sender import Sender  # noqa: PLC0415

    config = settings.load()
    return Dispatcher(engine(), Sender(UrlPolicy(config.webhook_http, networks_of(config.webhook_networks))))


def bound_statements() -> None:
    """Bound each wait of this process and its children for a database that does not answer."""
    client_timeout.install()


def finish_webhooks() -> None:
    """Wait, before this process ends, for webhooks that are being sent."""
    if dispatcher.cache_info().currsize:
        dispatcher().close()


def preflight(*, rails: bool = False) -> None:
    """Wait for the database, and end this process if the database or the welcome bonus is not as it should be.

    With `rails`, a rail must be configured too: there is no default, least of all the simulated one.
    """
    config = settings.load()
    try:
        if rails and open_rail(config).name == "simulator":
            log.warning("the simulated bank moves no money")
    except RailError as error:
        raise SystemExit(f"worker refuses to start: {error}") from error
    while True:
        try:
            preflights.check_or_exit(_url(), "worker", durability=config.preflight_durability)
            with transaction(engine()) as connection:
                parse_bonus(config.welcome_bonus, currency.all_by_code(connection))
            return engine().dispose()
        except DatabaseUnavailable as error:
            log.warning("waiting for the database", error=str(error.__cause__))
            time.sleep(RECONNECT_SECONDS)
        except BonusError as error:
            raise SystemExit(f"worker refuses to start: WELCOME_BONUS: {error}") from error


worker_name: str | None = None
"""Name of the worker that this process belongs to, such as posting@host."""

_recorded_at: dict[tuple[str, bool], float] = {}


def record_heartbeat(name: str | None, *, has_heard: bool) -> None:
    """Record in the database that the worker of this name finishes tasks, every few seconds at most.

    `has_heard` is False for a task run by the process's own clock, which does not show that bells reach it.
    """
    now = time.monotonic()
    if name is None or now - _recorded_at.get((name, has_heard), -HEARTBEAT_SECONDS) < HEARTBEAT_SECONDS:
        return
    with transaction(engine()) as connection:
        heartbeat.beat(connection, name, has_heard=has_heard)
    _recorded_at[name, has_heard] = now


def forget_connections() -> None:
    """After a fork: forget the parent's connections without closing them."""
    if engine.cache_info().currsize:
        engine().dispose(close=False)
    for singleton in (engine, poster, onboarding, mail_sender, payout_sender, dispatcher):
        singleton.cache_clear()
