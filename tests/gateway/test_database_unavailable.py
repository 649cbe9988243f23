"""The database unavailable, slow to answer or gone at COMMIT; the broker unavailable: no accepted order is lost."""

import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from sqlalchemy import make_url

from models import heartbeat
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.lossy_postgres_proxy import COMMIT, SOCKET_NAME, Line, Loss
from tests.support import Database


def through(url: str, directory: Path) -> str:
    """The same database, by a socket in another directory."""
    return make_url(url).update_query_dict({"host": str(directory)}).render_as_string(hide_password=False)


@pytest.fixture
def away(fresh_database: Database, tmp_path: Path) -> ApiHarness:
    """A gateway whose database is nowhere."""
    return ApiHarness(fresh_database, gateway_database_url=through(fresh_database.gateway, tmp_path))


@pytest.mark.parametrize("path", ["/health/ready", "/status", "/v1/wallets", "/v1/payments?limit=1", "/v1/currencies"])
def test_reads_without_a_database_are_503(away: ApiHarness, path: str) -> None:
    answer = away.person().get(path)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "database_unavailable")
    assert answer.headers["Retry-After"] == "1"


def test_orders_without_a_database_are_503(away: ApiHarness) -> None:
    order = deposit_into("wal_" + "a" * 32)
    answer = away.person().order("/v1/deposits", order)
    assert (answer.status_code, answer.get_json()["retryable"]) == (503, True)


def test_what_needs_no_database_answers_without_one(away: ApiHarness) -> None:
    assert away.anonymous().get("/health/live").status_code == 200
    assert away.anonymous().get("/v1/wallets").status_code == 401
    assert away.anonymous().get("/docs").status_code == 200


def test_the_status_tells_that_the_broker_is_unavailable(fresh_database: Database, tmp_path: Path) -> None:
    api = ApiHarness(fresh_database, broker_url=f"unix://{tmp_path}/none.sock?db=0")
    with transaction(api.worker) as connection:
        for name in ("posting@a", "upkeep@a", "webhooks@a"):
            heartbeat.beat(connection, name)
    answer = api.anonymous().get("/status")
    assert answer.status_code == 200
    assert (answer.get_json()["status"], answer.get_json()["broker"]) == ("degraded", "away")
    assert answer.get_json()["database"] == "ok"
    assert answer.get_json()["problems"] == [
        {"code": "broker_away", "detail": "no answer", "command": "flask payments sweep"}
    ]


def test_status_is_503_without_posting_but_gateway_is_ready(
    fresh_database: Database,
) -> None:
    anonymous = ApiHarness(fresh_database).anonymous()
    answer = anonymous.get("/status")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "out_of_service")
    assert answer.get_json()["problems"][0]["code"] == "posting_stale"
    assert answer.get_json()["detail"] == "No poster works: not seen within the last hour."
    assert anonymous.get("/health/ready").status_code == 200


def test_a_gateway_that_cannot_accept_is_not_ready(fresh_database: Database) -> None:
    api = ApiHarness(fresh_database)
    api.execute("DROP TABLE " + api.execute("SELECT to_char(now() AT TIME ZONE 'UTC', '\"payments_\"YYYY_MM')")[0])
    answers = [api.anonymous().get(path) for path in ("/health/ready", "/status")]
    assert [(answer.status_code, answer.get_json()["code"]) for answer in answers] == [
        (503, "partition_missing"),
        (503, "out_of_service"),
    ]
    assert answers[1].get_json()["problems"][0]["code"] == "partition_missing"


@pytest.mark.parametrize("hours", [-25, 25])
def test_a_gateway_whose_clock_is_wrong_says_so(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    api = ApiHarness(fresh_database)
    client = api.person()
    wallet = client.wallet()
    now = time.time() + hours * 3600
    monkeypatch.setattr("models.clock.time", SimpleNamespace(time=lambda: now))
    monkeypatch.setattr("gateway.http.access_log.uuid7", lambda: UUID(f"{int(now * 1000):012x}70008000000000000000"))
    answers = [api.anonymous().get(path) for path in ("/health/ready", "/status")]
    answers.append(client.order("/v1/deposits", deposit_into(wallet), "k"))
    assert [(answer.status_code, answer.get_json()["code"]) for answer in answers] == [
        (503, "clock_wrong"),
        (503, "out_of_service"),
        (503, "clock_wrong"),
    ]
    assert "timedatectl set-ntp true" in answers[0].get_json()["detail"]
    problem = answers[1].get_json()["problems"][0]
    assert (problem["code"], problem["command"]) == ("clock_wrong", "timedatectl set-ntp true")
    assert answers[2].headers["Retry-After"] == "1"
    assert api.execute("SELECT count(*) FROM payments") == [0]
    monkeypatch.undo()
    assert api.anonymous().get("/health/ready").status_code == 200
    assert client.order("/v1/deposits", deposit_into(wallet), "k").status_code == 202


KEEPING = b"EXECUTE accept"
"""The statement that keeps an order; without a reference it is a transaction of its own."""


@pytest.fixture
def line(fresh_database: Database, tmp_path: Path) -> Iterator[Line]:
    directory = make_url(fresh_database.gateway).query["host"]
    line = Line(tmp_path, Path(directory) / SOCKET_NAME)
    line.at = KEEPING
    yield line
    line.close()


@pytest.fixture
def shaky(fresh_database: Database, tmp_path: Path, line: Line) -> ApiHarness:
    """A gateway whose connection to the database can be cut."""
    return ApiHarness(fresh_database, gateway_database_url=through(fresh_database.gateway, tmp_path))


@pytest.mark.parametrize("loss", Loss)
def test_order_with_a_lost_connection_is_stored_once(shaky: ApiHarness, line: Line, loss: Loss) -> None:
    client = shaky.person()
    wallet, key = client.wallet(), secrets.token_hex(8)
    line.to_lose.append(loss)
    answer = client.order("/v1/deposits", deposit_into(wallet), key)
    assert line.lost == [loss]
    assert answer.status_code == 202
    assert "Idempotent-Replayed" not in answer.headers
    assert shaky.execute("SELECT id::text FROM payments") == [answer.get_json()["id"]]
    assert client.order("/v1/deposits", deposit_into(wallet), key).get_json()["id"] == answer.get_json()["id"]


@pytest.mark.parametrize("reference", [None, "R-1"])
def test_a_charge_whose_commit_was_lost_is_answered_as_its_own(
    shaky: ApiHarness, line: Line, reference: str | None
) -> None:
    client, merchant = shaky.person(), shaky.person("merchant")
    customer_wallet = client.wallet()
    merchant.wallet()
    charge = {
        "wallet": customer_wallet,
        "amount": "1.00",
        "currency": "EUR",
        **({"reference": reference} if reference else {}),
    }
    line.at = COMMIT if reference else KEEPING
    line.to_lose.append(Loss.ANSWER)
    answer = merchant.order("/v1/charges", charge)
    assert answer.status_code == 202
    assert shaky.execute("SELECT id::text FROM payments") == [answer.get_json()["id"]]


def test_unknown_outcome_is_503_and_the_key_replays_later(shaky: ApiHarness, line: Line) -> None:
    client = shaky.person()
    wallet, key = client.wallet(), secrets.token_hex(8)
    line.to_lose.extend([Loss.ANSWER] * 2)
    answer = client.order("/v1/deposits", deposit_into(wallet), key)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    again = client.order("/v1/deposits", deposit_into(wallet), key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert shaky.execute("SELECT count(*) FROM payments") == [1]


def make_unlucky(api: ApiHarness, amount: int) -> None:
    """Let the database refuse every payment of this amount."""
    api.execute(f"ALTER TABLE payments ADD CONSTRAINT unlucky CHECK (amount <> {amount})")


def test_a_flush_that_fails_is_tried_singly(fresh_database: Database) -> None:
    api = ApiHarness(fresh_database)
    people: list[ApiUser] = [api.person() for _ in range(12)]
    wallets = [person.wallet() for person in people]
    make_unlucky(api, 700)
    barrier = threading.Barrier(len(people))
    statuses: dict[int, int] = {}

    def order(number: int) -> None:
        barrier.wait()
        body = {**deposit_into(wallets[number]), "amount": f"{number + 1}.00"}
        headers = {"Authorization": f"Bearer {people[number].token}", "Idempotency-Key": "k"}
        answer = api.app.test_client().post("/v1/deposits", json=body, headers=headers)
        statuses[number + 1] = answer.status_code

    threads = [threading.Thread(target=order, args=(number,)) for number in range(len(people))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: status for number, status in statuses.items() if status != 202} == {7: 500}
    assert sorted(api.execute("SELECT amount::int FROM payments")) == [n * 100 for n in range(1, 13) if n != 7]
