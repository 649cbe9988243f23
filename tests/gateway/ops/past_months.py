"""Months that are over: what happened in them, as if it had been ordered and posted then."""

from typing import Any

from sqlalchemy import make_url

from embedded.postgres import Postgres
from models.session import transaction
from tests.gateway.harness import ApiHarness
from tests.gateway.ops.adjustments import approve, proposed
from tests.support import costing, past_the_triggers

MOVED = """
CREATE FUNCTION moved(id uuid, moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (left(uuid_floor(moment)::text, 13) || substr(id::text, 14))::uuid
$$
"""
"""The id as if it had been made at another time."""

IDS = (("payments", "id"), ("payments", "parent_id"), ("operations", "payment_id"), ("events", "subject_id"),
       ("adjustments", "payment_id"), ("refund_totals", "payment_id"), ("payment_children", "parent_id"),
       ("payment_children", "child_id"))  # fmt: skip

TIMES = (
    *(
        f"UPDATE {table} SET {column} = moved({column}, {{}}) WHERE {column} >= uuid_floor(now() - interval '1 day')"
        for table, column in IDS
    ),
    "UPDATE operations SET created_at = {} WHERE created_at > now() - interval '1 day'",
    "UPDATE events SET created_at = {} WHERE created_at > now() - interval '1 day'",
    "UPDATE payments SET created_at = {0}, finalized_at = finalized_at - (created_at - {0})"
    " WHERE created_at > now() - interval '1 day'",
    "UPDATE adjustments SET created_at = {0}, approved_at = approved_at - (created_at - {0})"
    " WHERE created_at > now() - interval '1 day'",
)


class Past:
    """A shop and its customer, and what happened at given times."""

    def __init__(self, api: ApiHarness, postgres: Postgres) -> None:
        self.api, self.postgres = api, postgres
        self.ops, self.client, self.shop = api.person("ops"), api.person("client"), api.person("merchant")
        self.shop_wallet = self.shop.wallet()

    def happened(self, moment: str) -> None:
        """As if all that was just posted had been ordered and posted then, later than what was moved before."""
        database = make_url(self.api.database.owner).database
        for statement in TIMES:
            past_the_triggers(self.postgres, database, statement.format(f"'{moment}'::timestamptz"))

    def charge(self, amount: str, moment: str) -> str:
        """The id of a charge that was posted then."""
        id = self.shop.charge(self.wallet, amount)
        self.api.post_payments()
        self.happened(moment)
        [moved] = self.api.execute("SELECT moved(%s, %s)::text", id, moment)
        return str(moved)

    @property
    def wallet(self) -> str:
        return self.client.get("/v1/wallets").get_json()["data"][0]["token"]

    def closing(self, month: str, timezone: str = "UTC", **headers: str) -> Any:
        answer = self.ops.get(f"/v1/ops/closing?month={month}&timezone={timezone}", **headers)
        assert answer.status_code == 200, answer.get_json()
        return answer if headers else answer.get_json()

    def days(self, month: str, timezone: str = "UTC") -> dict[str, str]:
        """The net of each day."""
        body = self.shop.get(f"/v1/closing?month={month}&timezone={timezone}").get_json()
        return {day["date"]: day["net"] for day in body["days"]}


def march_and_april(api: ApiHarness, postgres: Postgres) -> Past:
    """March and April 2026: the clocks of Berlin go forward on 29 March."""
    database = make_url(api.database.owner).database
    costing(postgres, database, "charge", percent="10")
    with transaction(api.owner) as connection:
        connection.exec_driver_sql(MOVED)
        for month in ("2026-02", "2026-03", "2026-04"):
            for table in ("payments", "operations"):
                connection.exec_driver_sql(f"SELECT make_partition('{table}', '{month}-01T00:00:00Z')")
    past = Past(api, postgres)
    past.client.wallet("100.00")
    past.happened("2026-02-27T12:00:00Z")
    past.charge("1.00", "2026-03-28T22:30:00Z")
    past.charge("2.00", "2026-03-28T23:30:00Z")
    past.charge("4.00", "2026-03-29T21:30:00Z")
    charge = past.charge("8.00", "2026-03-29T22:30:00Z")
    past.shop.order("/v1/refunds", {"charge": charge, "amount": "4.00", "reason": "duplicate"})
    failed = past.shop.charge(past.wallet, "1000.00")
    api.post_payments()
    assert past.ops.payment(failed)["state"] == "FAILED"
    past.happened("2026-03-30T10:00:00Z")
    chief = api.person("ops")
    approve(chief, proposed(past.ops, past.client, amount="3.00"), reason="Seen the receipt")
    past.api.post_payments()
    past.happened("2026-03-31T22:30:00Z")
    return past
