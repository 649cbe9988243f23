"""Reference data that hardly ever changes: currencies and technical accounts, cached for some seconds."""

import threading
import time

from gateway.http.errors import ApiError, invalid
from gateway.http.event_loop import run_in_thread
from models import account, currency
from models.account import Party
from models.currency import Currency
from models.rules import money
from models.session import Engine, statements

FRESH_SECONDS = 5.0
"""The time until a change of a currency takes effect in every process."""

UNKNOWN_SECONDS = 0.5
"""The minimum interval between reads because of an unknown code."""


class ReferenceData:
    """Currencies by code, and technical accounts by (code, currency)."""

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
            self._refresh(UNKNOWN_SECONDS)
        currency = self._currencies.get(code)
        if currency is None:
            raise invalid([(pointer, "currency_unknown", "This currency is unknown.")])
        return currency

    def technical(self, code: str, currency: str) -> Party:
        """The technical account of that code, as read with its currency; runs no query, so group commit may use it."""
        return self._technical[code, currency]

    def forget(self) -> None:
        """Read again after a change in this process; others follow after FRESH_SECONDS."""
        self._read_at = float("-inf")

    def _refresh(self, age_seconds_max: float) -> None:
        if time.monotonic() - self._read_at >= age_seconds_max:
            run_in_thread(self._read, age_seconds_max)

    def _read(self, age_seconds_max: float) -> None:
        with self._lock:
            if time.monotonic() - self._read_at < age_seconds_max:
                return
            with statements(self._engine) as connection:
                self._currencies = currency.all_by_code(connection)
                self._technical = account.technical_parties(connection)
            self._read_at = time.monotonic()


def minor_units(text: str, currency: Currency, pointer: str = "/amount") -> int:
    """The amount in minor units; raises ApiError at the pointer."""
    try:
        return money.parse(text, currency.digits)
    except money.MoneyError as error:
        raise invalid([(pointer, error.code, error.detail)]) from None


def limits_error(amount: int, currency: Currency) -> ApiError | None:
    """The error if the amount breaks the present limits of its currency, which a replay need not meet."""
    if not currency.is_active:
        return invalid([("/currency", "currency_inactive", "This currency is not in use.")])
    if currency.maximum is not None and amount > currency.maximum:
        most = money.render(currency.maximum, currency.digits)
        return invalid([("/amount", "amount_too_large", f"At most {most} {currency.code}.")])
    if currency.minimum is not None and amount < currency.minimum:
        least = money.render(currency.minimum, currency.digits)
        return invalid([("/amount", "amount_too_small", f"At least {least} {currency.code}.")])
    return None
