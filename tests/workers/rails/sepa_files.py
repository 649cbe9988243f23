"""Payouts and files for the tests of the SEPA rail."""

from pathlib import Path
from uuid import uuid4

from models.payout import Payout
from workers.rails.base import PayoutState
from workers.rails.sepa_files import Debtor, key_of, keys_in

DEBTOR = Debtor("Payments GmbH", "DE89370400440532013000", "COBADEFFXXX")
PAYEE = "FR1420041010050500013M02606"


def new_payout(**changes: object) -> Payout:
    """A payout with a new id."""
    columns = {
        **{"payment_id": str(uuid4()), "amount": 1450, "digits": 2, "currency": "EUR", "iban": PAYEE, "bic": None},
        **{"name": "Marie Curie", "description": "Salary", "rail": "sepa", "attempts": 1, "submitted_at": None},
    }
    return Payout(**{**columns, **changes})


def written(outbox: Path) -> list[bytes]:
    """The files in the outbox, in the order of their names."""
    return [path.read_bytes() for path in sorted(outbox.glob("*.xml"))]


def keys_written(outbox: Path) -> list[str]:
    """The end-to-end ids in all files of the outbox."""
    return sorted(key for data in written(outbox) for key in keys_in(data))


def answers(outcomes: dict) -> set[PayoutState]:
    return {outcome.state for outcome in outcomes.values()}


def key() -> tuple[str, str]:
    id = str(uuid4())
    return id, key_of(id)
