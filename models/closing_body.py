"""The closing of a month as JSON, for HTTP and the shell alike."""

from collections.abc import Callable, Mapping
from typing import Any

from models.closing import Closing, PaymentsLine
from models.closing_month import ClosingMonth
from models.merchant_closing import MerchantDay
from models.rules.money import render

SECTIONS = ("trial_balance", "payments", "commission", "open", "returns", "adjustments")
"""The lists of a closing, in the order in which they are shown."""

COLUMNS = (
    *("section", "code", "merchant", "type", "state", "currency", "opening", "debits", "credits", "closing", "count"),
    *("amount", "taken", "given_back", "net", "id", "account", "direction", "withdrawal", "rail", "bank_reference"),
    *("returned_at", "reason", "proposed_by", "approved_by", "approved_at", "payment"),
)
"""The columns of a closing as a file."""

DAY_COLUMNS = ("date", "currency", "gross", "commission", "refunds", "net")
"""The columns of a merchant's month as a file."""

Digits = Callable[[str], int]
"""The digits of the currency of this code."""


def body(closed: Closing, month: str, timezone: str, of: ClosingMonth, digits: Digits) -> dict[str, Any]:
    """The JSON of a closing."""
    return {
        **head(month, timezone, of),
        "start": of.start.isoformat(),
        "end": of.end.isoformat(),
        "trial_balance": [
            _shown(line, digits, "opening", "debits", "credits", "closing") for line in closed.trial_balance
        ],
        "payments": [_outcome(line, digits) for line in closed.payments],
        "commission": [
            {
                **_shown(line, digits, "taken", "given_back", renamed={"merchant_id": "merchant"}),
                "net": render(line.taken - line.given_back, digits(line.currency)),
            }
            for line in closed.commission
        ],
        "open": None if closed.open is None else [_outcome(line, digits) for line in closed.open],
        "returns": [
            {
                **_shown(line, digits, "amount", renamed={"withdrawal_id": "withdrawal", "payment_id": "payment"}),
                "returned_at": line.returned_at.isoformat(),
            }
            for line in closed.returns
        ],
        "adjustments": [
            {
                **_shown(line, digits, "amount", renamed={"account_id": "account", "payment_id": "payment"}),
                "approved_at": line.approved_at.isoformat(),
            }
            for line in closed.adjustments
        ],
    }


def rows(of: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of all lists of a closing's JSON, each with all COLUMNS, of which `section` names its list."""
    empty = dict.fromkeys(COLUMNS)
    return [{**empty, "section": name, **line} for name in SECTIONS for line in of[name] or ()]


def head(month: str, timezone: str, of: ClosingMonth) -> dict[str, Any]:
    """What the closings of ops and of a merchant begin with."""
    return {"month": month, "timezone": timezone, "is_over": of.is_over}


def day_body(day: MerchantDay, digits: Digits) -> dict[str, Any]:
    """The JSON of a merchant's day."""
    amounts = {"gross": day.gross, "commission": day.commission, "refunds": day.refunds, "net": day.net}
    shown = {name: render(minor, digits(day.currency)) for name, minor in amounts.items()}
    return {"date": day.date.isoformat(), "currency": day.currency, **shown}


def _outcome(line: PaymentsLine, digits: Digits) -> dict[str, Any]:
    return _shown(line, digits, "amount", renamed={"number": "count"})


def _shown(line: Any, digits: Digits, *amounts: str, renamed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The members of a line, with these amounts as decimal strings and some names as in JSON."""
    members: dict[str, Any] = line._asdict()
    for name in amounts:
        members[name] = render(members[name], digits(line.currency))
    names = renamed or {}
    return {names.get(name, name): value for name, value in members.items()}
