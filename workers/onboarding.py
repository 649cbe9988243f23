"""Onboarding of new users: a client's first wallets and bonus, in one transaction with the mark that it is done."""

import time
from collections.abc import Collection, Mapping

import structlog
from uuid_utils import compat as uuids

from models import account, currency, payment, user
from models.currency import Currency
from models.payment import NewPayment
from models.rules import money
from models.rules.money import Money, MoneyError
from models.rules.types import PaymentType
from models.session import Connection, Engine, transaction
from models.user import Role

log = structlog.get_logger("welcome")

BATCH_MAX = 20
"""Users per transaction: they are locked until it ends."""

WELCOME_SECONDS = 2.0
"""Duration of one task, so that its worker can run others; the timetable sends it again."""

BONUS_SOURCE = "internal"
BONUS_KEY = "welcome bonus"
"""Idempotency key: one bonus per user. A key with a space cannot be sent over HTTP."""


class BonusError(ValueError):
    """A bonus that cannot be paid; the message is the reason."""


def parse_bonus(text: str, currencies: Mapping[str, Currency]) -> Money | None:
    """The bonus in a text such as "100 USD", None for an empty one; raises BonusError."""
    if not text:
        return None
    amount, _, code = text.partition(" ")
    if code not in currencies or not currencies[code].is_active:
        raise BonusError(f"{code or text!r} is not an active currency")
    try:
        return Money(money.parse(amount, currencies[code].digits), code)
    except MoneyError as error:
        raise BonusError(error.detail) from error


class Onboarding:
    """Opens a client's wallets in the default currencies and pays the bonus, both by setting; one per process."""

    def __init__(self, engine: Engine, currencies: Collection[str], bonus: str, max_wallets_per_client: int) -> None:
        self.engine = engine
        self.currencies = currencies
        self.bonus = bonus
        self.max_wallets_per_client = max_wallets_per_client
        self._logged: set[str] = set()

    def welcome(self, seconds: float = WELCOME_SECONDS) -> int:
        """Welcome all new users, or as many as the time allows; returns how many.

        Raises DatabaseUnavailable, Contention, or BonusError.
        """
        deadline = time.monotonic() + seconds
        welcomed = 0
        while count := self._welcome_some():
            welcomed += count
            if count < BATCH_MAX or time.monotonic() > deadline:
                break
        return welcomed

    def _welcome_some(self) -> int:
        with transaction(self.engine) as connection:
            new_users = user.to_welcome(connection, BATCH_MAX)
            if not new_users:
                return 0
            currencies = currency.all_by_code(connection)
            bonus = parse_bonus(self.bonus, currencies)
            # The bonus comes first, so that a limit cannot keep it from a new client.
            codes = dict.fromkeys([*([bonus.currency] if bonus else []), *self._usable(currencies)])
            clients = [new_user.id for new_user in new_users if new_user.role == Role.CLIENT]
            for id in clients:
                self._open_wallets(connection, id, codes)
            if bonus is not None:
                self._pay(connection, clients, bonus)
            user.note_welcomed(connection, [new_user.id for new_user in new_users])
        log.info("welcomed", users=len(new_users), clients=len(clients))
        return len(new_users)

    def _usable(self, currencies: Mapping[str, Currency]) -> list[str]:
        usable = [code for code in self.currencies if code in currencies and currencies[code].is_active]
        for code in set(self.currencies).difference(usable, self._logged):
            log.error("no wallets opened in this default currency: it is unknown or inactive", currency=code)
            self._logged.add(code)
        return usable

    def _open_wallets(self, connection: Connection, id: str, codes: Collection[str]) -> None:
        """Open a wallet in each currency in which the client has none, up to the limit; the client is locked."""
        existing = account.oldest_wallets(connection, [(id, code) for code in codes])
        missing = [code for code in codes if (id, code) not in existing]
        if self.max_wallets_per_client:
            room = self.max_wallets_per_client - account.count_wallets(connection, id)
            missing = missing[: max(room, 0)]
        for code in missing:
            account.open_wallet(connection, str(uuids.uuid7()), account.new_wallet_token(), id, code, None)

    def _pay(self, connection: Connection, clients: Collection[str], bonus: Money) -> None:
        """Create the bonus payment of each client; clients without a wallet for it, because of the limit, get none."""
        source = account.technical_parties(connection)[BONUS_SOURCE, bonus.currency]
        wallets = account.oldest_wallets(connection, [(id, bonus.currency) for id in clients])
        payments = [
            NewPayment.internal(
                PaymentType.BONUS,
                id,
                (source.id, wallets[id, bonus.currency].id),
                bonus.minor,
                bonus.currency,
                key=BONUS_KEY,
                summary="Welcome bonus",
            )
            for id in clients
            if (id, bonus.currency) in wallets
        ]
        if payments:
            payment.accept(connection, payments)
