"""The pages of a payment look into its month, and into those of what is related to it, however many there are."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from sqlalchemy import make_url

from bench.plans import Scan
from embedded.postgres import Postgres
from tests.gateway.harness import ApiHarness
from tests.gateway.pages.browsers import Browser
from tests.models.explained import explained
from tests.support import Database, past_the_triggers

YEAR = """
SELECT make_partition(parent, month)
FROM unnest(ARRAY['payments', 'operations']) AS parent,
     generate_series(date_trunc('month', now()) - interval '12 months', now(), interval '1 month') AS month
"""
MOVED = "(left(uuid_floor('{}')::text, 13) || substr({}::text, 14))::uuid"
"""The id as if it had been made at another time."""

COLUMNS = (
    *(("payments", "id"), ("payments", "parent_id"), ("operations", "payment_id"), ("events", "subject_id")),
    *(("refund_totals", "payment_id"), ("payment_children", "parent_id"), ("idempotency_keys", "payment_id")),
)

QUEUES = ("due_at_id_idx", "parked_at_idx", "hold_expires_at_id_idx")
"""Indexes of open payments alone, which may be of any month: pages tell how many wait."""


class Shopping(NamedTuple):
    """A charge of long ago, its refund of today, and who sees both."""

    charge: str
    refund: str
    shop: Browser
    customer: Browser
    months: set[str]


@pytest.fixture(scope="module")
def api(database: Database) -> ApiHarness:
    """A gateway that reads by indexes, however small the tables are."""
    url = make_url(database.gateway).update_query_dict({"options": "-c enable_seqscan=off"})
    return ApiHarness(database, gateway_database_url=url.render_as_string(hide_password=False))


@pytest.fixture(scope="module")
def shopping(api: ApiHarness, postgres: Postgres) -> Shopping:
    api.execute(YEAR)
    customer = api.person("client")
    wallet = customer.wallet("100.00")
    [account] = api.execute("SELECT id::text FROM accounts WHERE token = %s", wallet)
    charge = api.refunded_charge(account, 20_00, 5_00)
    long_ago = datetime.now(UTC) - timedelta(days=200)
    [moved] = api.execute(f"SELECT {MOVED.format(long_ago, '%s')}::text", charge)
    for table, column in COLUMNS:
        statement = f"UPDATE {table} SET {column} = %s WHERE {column} = %s"
        past_the_triggers(postgres, make_url(api.database.owner).database or "", statement, moved, charge)
    [refund] = api.execute("SELECT id::text FROM payments WHERE parent_id = %s", moved)
    [shop] = api.execute("SELECT user_id::text FROM payments WHERE id = %s", moved)
    months = {f"{long_ago:%Y_%m}", f"{datetime.now(UTC):%Y_%m}"}
    return Shopping(moved, refund, Browser(api, api.token(shop)), Browser(api, customer.token), months)


@pytest.mark.parametrize("path", ["/console/payments/{}", "/app/payments/{}"])
@pytest.mark.parametrize("which", ["charge", "refund"])
def test_payment_page_reads_its_month_and_those_of_relatives(
    shopping: Shopping, ops: Browser, path: str, which: str
) -> None:
    browsers = [ops] if path.startswith("/console") else [shopping.shop, shopping.customer]
    for browser in browsers:
        with explained() as scans:
            page = browser.get(path.format(getattr(shopping, which))).text
        assert {shopping.charge, shopping.refund} <= {id for id in shopping[:2] if id in page}
        assert months_read(scans) <= shopping.months


def test_list_of_refunds_reads_the_months_of_the_refunds(shopping: Shopping) -> None:
    for browser in (shopping.shop, shopping.customer):
        with explained() as scans:
            page = browser.get(f"/app/payments?parent={shopping.charge}").text
        assert shopping.refund in page
        assert months_read(scans) == {f"{datetime.now(UTC):%Y_%m}"}


def months_read(scans: Iterable[Scan]) -> set[str]:
    """The months whose partitions were read, by another index than those of open payments."""
    return {scan.month for scan in scans if scan.month is not None and not (scan.index or "").endswith(QUEUES)}
