"""`flask ops overview` and `flask ops related`, as ops call them."""

import json

from models.overview import SPANS
from tests.builders import new_id
from tests.workers.books import Books
from tests.workers.cli.listing import Run


def test_state_of_everything_and_what_belongs_to_a_payment(flask: Run, books: Books) -> None:
    [payment] = books.transfers(1)
    books.poster().drain()
    body = json.loads(flask("ops", "overview", "--json").output)
    assert body["slot_seconds"] == next(iter(SPANS.values()))
    assert {count["name"]: count["count"] for count in body["counts"]}["waiting"] == 0
    assert [line.split()[0] for line in flask("ops", "overview").output.splitlines()[:1]] == ["seconds"]
    related = json.loads(flask("ops", "related", payment, "--json").output)
    assert json.loads(flask("ops", "related", payment).output) == related
    assert "there is no payment" in flask("ops", "related", new_id(), fails=True).output
