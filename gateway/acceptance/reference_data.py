"""What every request needs and hardly ever changes: currencies and technical accounts, kept for some seconds."""

import threading
import time

from gateway.http.errors import ApiError, invalid
from models import account, currency
from models.account import Party
from models.currency import Currency
from models.rules import money
from models.session import Engine, statements

FRESH_SECONDS = 5.0
"""A changed minimum, maximum or flag of a currency holds in every process after so long."""

ANEW_SECONDS = 0.5
"""A code that is not known is asked for again at most so often."""


class ReferenceData:
    """Currencies by code, technical accounts by (code, currency)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._currencies: dict[str, Currency] = {}
        self._technical: dict[tuple[str, str], Party] = {}

    def currencies(self) -> dict[str, Currency]:
        """All currencies, in the order of their codes."""
        self._refresh(FRESH_SECONDS)
        return self._currencies

    def currency(self, code: str, pointer: str = "/currency") -> Currency:
        """The currency; raises ApiError currency_unknown, at the pointer."""
        if code not in self.currencies():
            self._refresh(ANEW_SECONDS)
        known = self._currencies.get(code)
        if known is None:
            raise invalid([(pointer, "currency_unknown", "This currency is not known.")])
        return known

    def technical(self, code: str, currency: str) -> Party:
        """The technical account of that code, as read with its currency; asks nobody, so a flush may use it."""
        return self._technical[code, currency]

    def forget(self) -> None:
        """Read anew: something has changed here; in other processes it holds after FRESH_SECONDS."""
        self._read_at = float("-inf")

    def _refresh(self, age_seconds_max: float) -> None:
        if time.monotonic() - self._read_at < age_seconds_max:
            return
        with self._lock:
            if time.monotonic() - self._read_at < age_seconds_max:
                return
            with statements(self._engine) as connection:
                self._currencies = currency.all_by_code(connection)
                self._technical = account.technical_parties(connection)
            self._read_at = time.monotonic()


def minor_units(text: str, known: Currency, pointer: str = "/amount") -> int:
    """The amount in minor units; raises ApiError with the code of what is wrong, at the pointer."""
    try:
        return money.parse(text, known.digits)
    except money.MoneyError as error:
        raise invalid([(pointer, error.code, error.detail)]) from None


def limits_error(amount: int, known: Currency) -> ApiError | None:
    """What the operator's present terms have against this amount; a replay is not held to them."""
    if not known.is_active:
        return invalid([("/currency", "currency_inactive", "This currency is not in use.")])
    if known.maximum is not None and amount > known.maximum:
        most = money.render(known.maximum, known.digits)
        return invalid([("/amount", "amount_too_large", f"At most {most} {known.code}.")])
    if known.minimum is not None and amount < known.minimum:
        least = money.render(known.minimum, known.digits)
        return invalid([("/amount", "amount_too_small", f"At least {least} {known.code}.")])
    return None
