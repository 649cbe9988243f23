"""Terms of commission, and what was taken, as JSON: for HTTP and the shell alike."""

from typing import Any

from models.commission_report import DailyCommission
from models.commission_terms import TermsRecord
from models.rules.commission import PERCENT_DIGITS, Terms, smallest_amount_with_fee
from models.rules.money import render


def terms_body(terms: Terms, currency: str | None, digits: int) -> dict[str, Any]:
    """The JSON of terms; `digits` are those of their currency."""
    smallest = smallest_amount_with_fee(terms)
    has_free = currency is not None and smallest is not None and smallest > 1
    return {
        "percent": render(terms.percent_millionths, PERCENT_DIGITS).rstrip("0").rstrip("."),
        "fixed": render(terms.fixed, digits),
        "minimum": render(terms.minimum, digits),
        "maximum": None if terms.maximum is None else render(terms.maximum, digits),
        "smallest_paying_amount": render(smallest, digits) if smallest and currency else None,
        "smallest_paying_units": smallest,
        "ending_minimum": render(1, digits) if has_free else None,
    }


def record_body(record: TermsRecord) -> dict[str, Any]:
    """The JSON of stored terms."""
    return {
        "id": record.id,
        "type": record.type,
        "currency": record.currency,
        "merchant": record.merchant_id,
        **terms_body(record.terms, record.currency, record.digits),
        "valid_from": record.valid_from.isoformat(),
        "created_at": record.created_at.isoformat(),
    }


def day_body(day: DailyCommission) -> dict[str, Any]:
    """The JSON of a day."""
    return {
        "date": day.date.isoformat(),
        "currency": day.currency,
        "taken": render(day.taken, day.digits),
        "given_back": render(day.given_back, day.digits),
        "net": render(day.net, day.digits),
        "payments": day.payments,
    }
