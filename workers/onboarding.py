"""The welcome of those who signed up: a client's first wallets and his bonus, in one transaction with its note."""

import hashlib
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
"""Users in one transaction: they are locked until it ends."""

WELCOME_SECONDS = 2.0
"""How long one task welcomes before it lets its worker do something else; the timetable goes on."""

BONUS_SOURCE = "internal"
BONUS_KEY = "welcome bonus"
"""One per user, ever; nobody can send a key with a space over HTTP."""


class BonusError(ValueError):
    """A bonus that cannot be paid; the message says why."""


def parse_bonus(text: str, known: Mapping[str, Currency]) -> Money | None:
    """The bonus in a text such as "100 USD", None for an empty one; raises BonusError."""
    if not text:
        return None
    amount, _, code = text.partition(" ")
    if code not in known or not known[code].is_active:
        raise BonusError(f"{code or text!r} is no currency in use")
    try:
        return Money(money.parse(amount, known[code].digits), code)
    except MoneyError as error:
        raise BonusError(error.detail) from error


class Onboarding:
    """Opens a client's wallets in the default currencies and pays the bonus, both by setting; one per process."""

    def __init__(self, engine: Engine, currencies: Collection[str], bonus: str, max_wallets_per_client: int) -> None:
        self.engine = engine
        self.currencies = currencies
        self.bonus = bonus
        self.max_wallets_per_client = max_wallets_per_client
        self._told: set[str] = set()

    def welcome(self, seconds: float = WELCOME_SECONDS) -> int:
        """Welcome all who wait for it, or as many as the time allows; returns how many.

        Raises DatabaseAway, Contention, or BonusError.
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
            newcomers = user.to_welcome(connection, BATCH_MAX)
            if not newcomers:
                return 0
            known = currency.all_by_code(connection)
            bonus = parse_bonus(self.bonus, known)
            # The bonus comes first, so that a limit cannot keep it from a new client.
            codes = dict.fromkeys([*([bonus.currency] if bonus else []), *self._usable(known)])
            clients = [newcomer.id for newcomer in newcomers if newcomer.role == Role.CLIENT]
            for id in clients:
                self._open_wallets(connection, id, codes)
            if bonus is not None:
                self._pay(connection, clients, bonus)
            user.note_welcomed(connection, [newcomer.id for newcomer in newcomers])
        log.info("welcomed", users=len(newcomers), clients=len(clients))
        return len(newcomers)

    def _usable(self, known: Mapping[str, Currency]) -> list[str]:
        usable = [code for code in self.currencies if code in known and known[code].is_active]
        for code in set(self.currencies).difference(usable, self._told):
            log.error("no wallets are opened in this default currency: it is unknown or not in use", currency=code)
            self._told.add(code)
        return usable

    def _open_wallets(self, connection: Connection, id: str, codes: Collection[str]) -> None:
        """One in each of the currencies in which he has no active one, as far as the limit goes; he is locked."""
        held = account.oldest_wallets(connection, [(id, code) for code in codes])
        missing = [code for code in codes if (id, code) not in held]
        if self.max_wallets_per_client:
            room = self.max_wallets_per_client - account.count_wallets(connection, id)
            missing = missing[: max(room, 0)]
        for code in missing:
            account.open_wallet(connection, str(uuids.uuid7()), account.new_wallet_token(), id, code, None)

    def _pay(self, connection: Connection, clients: Collection[str], bonus: Money) -> None:
        """Order the bonus in each client's name; who has no wallet for it, by the limit, goes without."""
        source = account.technical_parties(connection)[BONUS_SOURCE, bonus.currency]
        wallets = account.oldest_wallets(connection, [(id, bonus.currency) for id in clients])
        wishes = [
            NewPayment(
                id=str(uuids.uuid7()),
                type=PaymentType.BONUS.value,
                user_id=id,
                source_id=source.id,
                target_id=wallets[id, bonus.currency].id,
                amount=bonus.minor,
                currency=bonus.currency,
                key=BONUS_KEY,
                fingerprint=hashlib.sha256(BONUS_KEY.encode()).digest(),
                summary="Welcome bonus",
            )
            for id in clients
            if (id, bonus.currency) in wallets
        ]
        if wishes:
            payment.accept(connection, wishes)
