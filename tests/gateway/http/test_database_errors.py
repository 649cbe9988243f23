"""Answers when PostgreSQL refuses: 503 with Retry-After for every error code of a database in trouble."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import make_url
from uuid_utils.compat import uuid7

from gateway.bulks import lines
from gateway.http import access_log
from gateway.payments import create
from models.sqlstate import MEANINGS, Meaning
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.support import Database

CODES = sorted(code for code in MEANINGS if len(code) == 5)


@pytest.fixture(scope="module")
def refusing(api: ApiHarness) -> ApiHarness:
    """The database refuses each new row whose text is an error code, with that error."""
    api.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'refused' USING ERRCODE = to_jsonb(NEW) ->> TG_ARGV[0]; END $$"
    )
    for table, column in (("payments", "summary"), ("accounts", "label")):
        api.execute(
            f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW WHEN (NEW.{column} IS NOT NULL)"
            f" EXECUTE FUNCTION refuse('{column}')"
        )
    return api


@pytest.fixture(scope="module")
def shop(api: ApiHarness) -> tuple[ApiUser, str]:
    """A merchant, and a wallet to charge."""
    merchant = api.person("merchant", "Shop")
    merchant.wallet()
    return merchant, api.person().wallet()


def charge(wallet: str, **members: str) -> dict[str, str]:
    return {"wallet": wallet, "amount": "1.00", "currency": "EUR", **members}


@pytest.mark.parametrize("code", CODES)
def test_an_order_refused_by_this_code(refusing: ApiHarness, shop: tuple[ApiUser, str], code: str) -> None:
    merchant, wallet = shop
    expected = (500, "internal_error") if MEANINGS[code] is Meaning.FAULT else (503, "database_unavailable")
    for reference in ({}, {"reference": f"R-{code}"}):  # each way to keep a charge
        answer = merchant.order("/v1/charges", charge(wallet, summary=code, **reference), code)
        assert (answer.status_code, answer.get_json()["code"]) == expected
        assert answer.headers.get("Retry-After") == ("1" if answer.status_code == 503 else None)
    again = merchant.order("/v1/charges", charge(wallet, reference=f"R-{code}"), code)
    assert (again.status_code, "Idempotent-Replayed" in again.headers) == (202, False)


@pytest.mark.parametrize("code", ["25006", "53100", "57P01", "58030"])
def test_a_wallet_refused_by_this_code(refusing: ApiHarness, client: ApiUser, code: str) -> None:
    answer = client.call("POST", "/v1/wallets", json={"currency": "EUR", "label": code})
    assert (answer.status_code, answer.get_json()["code"]) == (503, "database_unavailable")
    assert client.get("/v1/wallets").get_json()["data"] == []


@contextmanager
def read_only(api: ApiHarness) -> Iterator[None]:
    """Meanwhile new sessions only read, as those to a standby or on a full disk; those of before are put out."""
    url = make_url(api.database.gateway)
    try:
        api.execute(f"ALTER DATABASE {url.database} SET default_transaction_read_only = on")
        api.gateway.dispose()
        api.app.extensions["gateway"].engine.dispose()
        yield
    finally:
        api.execute(f"SET default_transaction_read_only = off; ALTER DATABASE {url.database} RESET ALL")


def test_read_only_database_refuses_writes_but_answers_reads(fresh_database: Database) -> None:
    api = ApiHarness(fresh_database)
    client = api.person()
    wallet = client.wallet()
    unseen = api.person()
    with read_only(api):
        answers = [client.order("/v1/deposits", deposit_into(wallet), "key") for _ in range(10)]
        assert {(answer.status_code, answer.get_json()["code"]) for answer in answers} == {
            (503, "database_unavailable")
        }
        assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
        assert client.call("POST", "/v1/wallets", json={"currency": "EUR"}).status_code == 503
        assert client.get(f"/v1/wallets/{wallet}").status_code == 200
        assert unseen.get("/v1/payments").status_code == 200, "that a token was used need not be noted"
        status = client.get("/status")
        assert (status.status_code, status.get_json()["code"]) == (503, "out_of_service")
        assert status.get_json()["problems"][0]["code"] == "database_read_only"
        assert client.get("/health/ready").status_code == 503
    assert client.get("/health/ready").status_code == 200, "a look at it makes the connections again"
    assert client.order("/v1/deposits", deposit_into(wallet), "key").status_code == 202
    assert api.execute("SELECT count(*) FROM payments") == [1]


def test_a_database_without_room_for_connections(fresh_database: Database) -> None:
    api = ApiHarness(fresh_database)
    client = api.person()
    name = make_url(fresh_database.gateway).database
    api.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    api.app.extensions["gateway"].engine.dispose()
    answer = client.get("/v1/wallets")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "database_unavailable")
    api.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    assert client.get("/v1/wallets").status_code == 200


def test_a_gateway_whose_clock_is_days_off_accepts_nothing(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would ask for limits and lines of the wrong days; another gateway accepts the same order, and it once."""
    api = ApiHarness(fresh_database)
    client, merchant = api.person(), api.person("merchant")
    wallet, _ = client.wallet(), merchant.wallet()
    before = int((time.time() - 26 * 3600) * 1000)
    with monkeypatch.context() as off:
        for module in (access_log, create, lines):
            off.setattr(module, "uuid7", lambda: UUID(int=before << 80 | uuid7().int & (1 << 80) - 1))
        refused = [
            client.order("/v1/deposits", deposit_into(wallet), "key"),
            merchant.order("/v1/charges", charge(wallet, reference="R-1"), "key"),
            merchant.order(
                "/v1/bulk-charges", {"charges": [{"wallet": wallet, "amount": "1.00"}], "currency": "EUR"}, "key"
            ),
        ]
    for answer in refused:
        assert (answer.status_code, answer.get_json()["code"]) == (503, "clock_wrong"), answer.get_json()
        assert answer.headers["Retry-After"] == "1"
    assert api.execute("SELECT count(*) FROM payments") == [0]
    for order in (
        lambda: client.order("/v1/deposits", deposit_into(wallet), "key"),
        lambda: merchant.order("/v1/charges", charge(wallet, reference="R-1"), "key"),
    ):
        assert order().status_code == 202
    assert api.execute("SELECT count(*) FROM payments") == [2]


def test_a_month_without_partition(fresh_database: Database) -> None:
    api = ApiHarness(fresh_database)
    client, merchant = api.person(), api.person("merchant")
    merchant.wallet()
    wallet = client.wallet()
    [this_month] = api.execute("SELECT to_char(now() AT TIME ZONE 'UTC', '_YYYY_MM')")
    api.execute(f"DROP TABLE payments{this_month}, operations{this_month}")
    refused = [
        client.order("/v1/deposits", deposit_into(wallet), "key"),
        merchant.order("/v1/charges", charge(wallet), "key"),
        merchant.order("/v1/charges", charge(wallet, reference="R-1"), "key"),
        merchant.order(
            "/v1/bulk-charges", {"charges": [{"wallet": wallet, "amount": "1.00"}], "currency": "EUR"}, "key"
        ),
    ]
    for answer in refused:
        assert (answer.status_code, answer.get_json()["code"]) == (503, "partition_missing"), answer.get_json()
        assert answer.headers["Retry-After"] == "1"
        assert answer.get_json()["retryable"] is True
    assert client.get("/v1/payments").get_json()["data"] == []
    api.execute("SELECT ensure_partitions()")
    answer = client.order("/v1/deposits", deposit_into(wallet), "key")
    assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (202, False)
