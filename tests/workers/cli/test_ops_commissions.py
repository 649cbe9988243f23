"""`flask ops commission-terms|commissions`, as ops call them."""

import json

from models import commission_terms
from models.rules.commission import Terms
from models.session import transaction
from tests.workers.books import Books
from tests.workers.cli.listing import Run


def test_terms_and_what_was_taken_are_listed(flask: Run, books: Books) -> None:
    with transaction(books.gateway) as connection:
        record = commission_terms.add(connection, "charge", "EUR", None, Terms(2_500_000, 10))
    assert record is not None
    newest = json.loads(flask("ops", "commission-terms", "--type", "charge", "--json").output.splitlines()[0])
    assert (newest["id"], newest["percent"], newest["fixed"]) == (record.id, "2.5", "0.10")
    row = flask("ops", "commission-terms", "--currency", "EUR").output.splitlines()[1].split()
    assert row[:3] == [record.id, "charge", "EUR"]
    assert flask("ops", "commissions", "2026-01-01", "2026-01-31").output == "none\n"
    assert "must not be before" in flask("ops", "commissions", "2026-02-01", "2026-01-31", fails=True).output
