"""What a worker process has once: its engine, and who works on it."""

import time
from functools import cache
from typing import TYPE_CHECKING

import structlog

import settings
from models import client_timeout, currency, heartbeat
from models import preflight as preflights
from models.rules.webhook_url import UrlPolicy, networks_of
from models.session import DatabaseAway, Engine, open_engine, transaction
from workers.mail import MailSender
from workers.onboarding import BonusError, Onboarding, parse_bonus
from workers.posting.poster import Poster
from workers.rails import RailError, open_rail
from workers.rails.payouts import PayoutSender

if TYPE_CHECKING:
    from workers.webhooks.dispatcher import Dispatcher

log = structlog.get_logger("worker")

RECONNECT_SECONDS = 1.0

HEARTBEAT_SECONDS = 2.0
"""A busy worker notes its heartbeat no more often than this."""


@cache
def engine() -> Engine:
    """Connections in the worker's role."""
    return open_engine(_url(), application="payments-worker")


def _url() -> str:
    url = settings.load().worker_database_url
    if url is None:
        raise SystemExit("WORKER_DATABASE_URL is not set and no embedded stack is running here")
    return url


@cache
def poster() -> Poster:
    """The one poster of this process."""
    given = settings.load()
    return Poster(
        engine(),
        deposits_open=given.deposits_open,
        hold_ttl_hours=given.hold_ttl_hours,
        refunds_commission=given.refunds_commission,
    )


@cache
def onboarding() -> Onboarding:
    """The one welcomer of this process."""
    given = settings.load()
    return Onboarding(engine(), given.default_currencies, given.welcome_bonus, given.max_wallets_per_client)


@cache
def mail_sender() -> MailSender:
    """The one postman of this process."""
    given = settings.load()
    return MailSender(engine(), given.mail_url, given.mail_from)


@cache
def payout_sender() -> PayoutSender:
    """The one instructor of this process; raises RailError."""
    return PayoutSender(engine(), open_rail(settings.load()))


@cache
def dispatcher() -> "Dispatcher":
    """The one dispatcher of this process."""
    from workers.webhooks.dispatcher import Dispatcher  # noqa: PLC0415 - its client is for this process alone
    from workers.webhooks.sender import Sender  # noqa: PLC0415

    given = settings.load()
    return Dispatcher(engine(), Sender(UrlPolicy(given.webhook_http, networks_of(given.webhook_networks))))


def bound_statements() -> None:
    """Let no connection of this process, nor of its children, wait for a mute database for ever."""
    client_timeout.install()


def end_calls() -> None:
    """Before this process ends: wait for the webhooks under way, if it sends any."""
    if dispatcher.cache_info().currsize:
        dispatcher().close()


def preflight(*, rails: bool = False) -> None:
    """Wait for the database, and end this process if it, or the welcome bonus, is not what it should be.

    Whoever tells the bank (`rails`) needs a rail: there is none by default, least of all the simulated one.
    """
    given = settings.load()
    try:
        if rails and open_rail(given).name == "simulator":
            log.warning("the simulated bank moves no money")
    except RailError as error:
        raise SystemExit(f"worker refuses to start: {error}") from error
    while True:
        try:
            preflights.check_or_exit(_url(), "worker", durability=given.preflight_durability)
            with transaction(engine()) as connection:
                parse_bonus(given.welcome_bonus, currency.all_by_code(connection))
            return engine().dispose()
        except DatabaseAway as error:
            log.warning("waiting for the database", error=str(error.__cause__))
            time.sleep(RECONNECT_SECONDS)
        except BonusError as error:
            raise SystemExit(f"worker refuses to start: WELCOME_BONUS: {error}") from error


worker_name: str | None = None
"""Of the worker that this process belongs to, such as posting@host."""

_pulses: dict[tuple[str, bool], float] = {}


def record_heartbeat(name: str | None, *, has_heard: bool) -> None:
    """Note in the database that the worker of this name takes and ends tasks, every few seconds at most.

    What a process does by its own clock does not tell that bells reach it (`has_heard`).
    """
    now = time.monotonic()
    if name is None or now - _pulses.get((name, has_heard), -HEARTBEAT_SECONDS) < HEARTBEAT_SECONDS:
        return
    with transaction(engine()) as connection:
        heartbeat.beat(connection, name, has_heard=has_heard)
    _pulses[name, has_heard] = now


def forget_connections() -> None:
    """After a fork: the parent's connections are the parent's; they are left to it unclosed."""
    if engine.cache_info().currsize:
        engine().dispose(close=False)
    for made in (engine, poster, onboarding, mail_sender, payout_sender, dispatcher):
        made.cache_clear()
