"""What pages of ops ask the database, for the tests of plans: `some` names a payment."""

from collections.abc import Callable
from typing import Any

from models import overview, payment_related, payment_stuck, payment_view
from models.payment_stuck import StuckFilter
from models.session import Connection


def related(connection: Connection, some: dict[str, Any]) -> object:
    view = payment_view.by_id(connection, some["payment"])
    assert view is not None
    return payment_related.of_payment(connection, view)


OPS_QUESTIONS: dict[str, tuple[int | None, Callable[[Connection, dict[str, Any]], object]]] = {
    # partitions of payments and operations that may be touched, None for those of all months, and the question
    "the overview": (None, lambda c, _: overview.overview(c, "day")),
    "what belongs to a payment": (2, related),
    "what is undecided": (0, lambda c, _: payment_stuck.find(c, StuckFilter(undecided=True), 21)),
    "what is parked": (None, lambda c, _: payment_stuck.find(c, StuckFilter(), 21)),
}
