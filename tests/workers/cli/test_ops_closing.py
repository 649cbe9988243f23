"""`flask ops closing`, as ops call it."""

import csv
import io
import json
from decimal import Decimal

from models import user
from models.session import transaction
from tests.workers.books import Books
from tests.workers.cli.listing import Run


def test_ops_closes_the_month_and_that_of_a_merchant(flask: Run, books: Books) -> None:
    _, source = books.client(10_00)
    shop = books.user("merchant")
    target = books.wallet(shop)
    books.order("charge", shop, source, target, 4_00)
    books.poster().drain()
    with transaction(books.worker) as connection:
        month = connection.exec_driver_sql("SELECT to_char(created_at, 'YYYY-MM') FROM operations LIMIT 1").scalar_one()
        shop_user = user.by_id(connection, shop)
    assert shop_user
    body = json.loads(flask("ops", "closing", month, "--json").output)
    assert sum(Decimal(line["closing"]) for line in body["trial_balance"]) == 0
    assert [(line["type"], line["amount"]) for line in body["payments"]] == [("charge", "4.00"), ("deposit", "10.00")]
    text = flask("ops", "closing", month, "--timezone", "UTC").output
    assert f"{month}, time zone UTC, which is not over\n\ntrial balance\n" in text
    assert "\nadjustments\nnone\n" in text
    rows = list(csv.DictReader(io.StringIO(flask("ops", "closing", month, "--csv").output)))
    assert {row["section"] for row in rows} == {"trial_balance", "payments"}
    assert [row["amount"] for row in rows if row["section"] == "payments"] == ["4.00", "10.00"]
    days = flask("ops", "closing", month, "--merchant", shop_user.email, "--csv").output.splitlines()
    assert days[0] == "date,currency,gross,commission,refunds,net"
    assert days[1].endswith(",EUR,4.00,0.00,0.00,4.00")
    own = json.loads(flask("ops", "closing", month, "--merchant", shop_user.email, "--json").output)
    [day] = own["days"]
    assert (day["gross"], day["net"]) == ("4.00", "4.00")
    assert "there is no time zone Mars" in flask("ops", "closing", month, "--timezone", "Mars", fails=True).output
    none = flask("ops", "closing", month, "--merchant", "nobody@example.com", fails=True).output
    assert "there is no user nobody@example.com" in none
