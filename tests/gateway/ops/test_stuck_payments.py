"""Stuck and parked payments, and retries of one of them."""

from typing import Any

import pytest

from models import payout
from models.payout import Retry
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.stuck_payments import REASON, order, park

UNKNOWN = "01890000-0000-7000-8000-000000000000"
MEMBERS = {
    "id", "type", "amount", "currency", "user", "created_at", "due_at", "attempts", "last_error", "parked_at",
    "state", "failure", "source", "target", "summary", "reference", "actions",
}  # fmt: skip


@pytest.fixture
def parked(api: ApiHarness, client: ApiUser) -> str:
    """The id of a parked deposit."""
    id = order(client, client.wallet())
    park(api, id)
    return id


def retry(person: ApiUser, id: str, body: Any = REASON) -> Any:
    return person.call("POST", f"/v1/ops/payments/{id}/retry", json=body)


def commands(api: ApiHarness, id: str) -> list[str | None]:
    """The outcomes of the commands about a payment, oldest first."""
    return api.execute("SELECT outcome FROM commands WHERE payment_id = %s ORDER BY id", id)


def test_stuck_and_parked_payments_are_listed(api: ApiHarness, client: ApiUser, ops: ApiUser, parked: str) -> None:
    waiting = order(client, client.wallet(), "2.50")
    rows = {
        which: {row["id"]: row for row in ops.get(f"/v1/ops/payments?{which}&limit=100").get_json()["data"]}
        for which in ("stuck=0", "stuck=3600", "parked=true")
    }
    assert (waiting in rows["stuck=0"], parked in rows["stuck=0"]) == (True, False)
    assert (waiting in rows["parked=true"], parked in rows["parked=true"]) == (False, True)
    assert rows["stuck=3600"] == {}
    row = rows["stuck=0"][waiting]
    assert row.keys() == MEMBERS
    assert (row["type"], row["amount"], row["currency"], row["user"]) == ("deposit", "2.50", "EUR", client.id)
    assert (row["attempts"], row["last_error"], row["parked_at"]) == (0, None, None)
    row = rows["parked=true"][parked]
    assert (row["attempts"], row["last_error"]) == (1, "no luck")
    assert row["parked_at"] is not None
    api.post_payments()
    assert waiting not in {row["id"] for row in ops.get("/v1/ops/payments?stuck=0&limit=100").get_json()["data"]}


def test_undecided_withdrawals_are_listed(api: ApiHarness, client: ApiUser, ops: ApiUser) -> None:
    order = {"wallet": client.wallet("5.00"), "amount": "2.00", "currency": "EUR", "name": "Ann Example"}
    id = client.order("/v1/withdrawals", {**order, "iban": "DE89370400440532013000"}).get_json()["id"]
    api.post_payments()
    assert ops.get("/v1/ops/payments?undecided=true").get_json()["data"] == []
    with transaction(api.worker) as connection:
        assert payout.claim(connection, "bank", 10, 20.0)
        payout.postpone(connection, [Retry(id, 1, 1, 60.0, "500 from the bank")])
    [row] = ops.get("/v1/ops/payments?undecided=true").get_json()["data"]
    assert row.keys() == MEMBERS
    assert (row["id"], row["attempts"], row["last_error"], row["parked_at"]) == (id, 1, "500 from the bank", None)
    assert ops.get("/v1/ops/payments?undecided=true&type=withdrawal&currency=EUR").get_json()["data"] == [row]
    assert ops.get("/v1/ops/payments?undecided=true&currency=USD").get_json()["data"] == []
    for other in ("stuck=0", "parked=true"):
        assert id not in {row["id"] for row in ops.get(f"/v1/ops/payments?{other}&limit=100").get_json()["data"]}
    many = {"filter": {"undecided": True}, "reason": "why"}
    assert ops.call("POST", "/v1/ops/payments/retry", json=many).get_json()["code"] == "unknown_field"


def test_stuck_payments_are_filtered_by_type_and_currency(api: ApiHarness, client: ApiUser, ops: ApiUser) -> None:
    source, target = client.wallet(), client.wallet()
    yen = client.wallet(currency="JPY")
    deposit = order(client, source)
    transfer = client.order(
        "/v1/transfers", {"source": source, "target": target, "amount": "1.00", "currency": "EUR"}
    ).get_json()["id"]
    in_yen = client.order(
        "/v1/deposits", {"wallet": yen, "amount": "7", "currency": "JPY", "source": "wire"}
    ).get_json()["id"]
    stuck = {deposit, transfer, in_yen}

    def ids(query: str) -> set[str]:
        rows = ops.get(f"/v1/ops/payments?stuck=0&limit=100{query}").get_json()["data"]
        return stuck & {row["id"] for row in rows}

    assert ids("") == stuck
    assert ids("&type=transfer") == {transfer}
    assert ids("&type=transfer,deposit") == stuck
    assert ids("&type=charge") == set()
    assert ids("&currency=JPY") == {in_yen}
    assert ids("&type=deposit&currency=EUR") == {deposit}
    api.post_payments()


@pytest.mark.parametrize(
    "query",
    ["?stuck=1&parked=true", "?parked=false", "?parked=1", "?stuck=-1", "?stuck=1.5", "?stuck=x", "?stuck=",
     "?stuck=999999999", "?stuck=9999999999", "?stuck=\u0661", "?stuck=1;DROP TABLE payments", "?parked=TRUE",
     "?undecided=1", "?undecided=false", "?undecided=true&parked=true", "?undecided=true&stuck=1",
     "?stuck=1&type=refund2", "?stuck=1&type="],
)  # fmt: skip
def test_list_takes_one_of_stuck_parked_undecided(ops: ApiUser, query: str) -> None:
    answer = ops.get(f"/v1/ops/payments{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_value")


def test_retry_is_a_command_that_the_worker_decides(
    api: ApiHarness, client: ApiUser, ops: ApiUser, parked: str, rings: list
) -> None:
    before = api.execute("SELECT to_jsonb(p) FROM payments p WHERE id = %s", parked)
    rings.clear()
    answer = retry(ops, parked)
    assert answer.status_code == 202
    assert answer.get_json()["id"] == parked
    assert (answer.headers["Location"], answer.headers["Retry-After"]) == (f"/v1/payments/{parked}", "1")
    assert answer.headers["ETag"] == ops.get(f"/v1/payments/{parked}").headers["ETag"]
    assert rings == [answer.headers["Request-Id"]]
    assert api.execute("SELECT to_jsonb(p) FROM payments p WHERE id = %s", parked) == before
    assert commands(api, parked) == [None]
    api.post_payments()
    assert commands(api, parked) == ["done"]
    assert client.payment(parked)["state"] == "COMPLETED"


def test_retry_is_audited(api: ApiHarness, ops: ApiUser, parked: str) -> None:
    request_id = retry(ops, parked).headers["Request-Id"]
    api.post_payments()
    auditor = api.person("auditor")
    [line] = auditor.get(f"/v1/ops/audit?target={parked}").get_json()["data"]
    [token_id] = api.execute("SELECT id::text FROM tokens WHERE user_id = %s", ops.id)
    assert (line["actor"], line["action"], line["reason"]) == (ops.id, "payments.retry", REASON["reason"])
    assert (line["token_id"], line["address"], line["request_id"]) == (token_id, "127.0.0.1", request_id)
    assert (line["before"]["attempts"], line["before"]["last_error"]) == (1, "no luck")
    assert line["before"]["parked_at"] is not None
    assert line["after"] == {"attempts": 0, "parked_at": None}
    assert line["written_by"] == "payments_worker"


def test_second_retry_while_one_is_open_adds_none(api: ApiHarness, ops: ApiUser, parked: str) -> None:
    assert [retry(ops, parked).status_code for _ in range(3)] == [202] * 3
    assert commands(api, parked) == [None]
    api.post_payments()
    assert commands(api, parked) == ["done"]


def test_retry_of_payment_final_meanwhile_is_refused_by_worker(api: ApiHarness, client: ApiUser, ops: ApiUser) -> None:
    id = order(client, client.wallet())
    assert retry(ops, id).status_code == 202
    statement = "UPDATE payments SET state = 'FAILED', failure_code = 'expired', finalized_at = now() WHERE id = %s"
    api.execute(f"{statement} RETURNING id", id)
    api.post_payments()
    assert commands(api, id) == ["refused"]
    assert ops.get(f"/v1/ops/audit?target={id}").get_json()["data"] == []


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED"])
def test_retry_of_final_payment_is_refused(
    api: ApiHarness, client: ApiUser, stranger: ApiUser, ops: ApiUser, state: str, rings: list
) -> None:
    wallet = client.wallet("5.00")
    transfer = {"source": wallet, "target": stranger.wallet(), "currency": "EUR"}
    amount = {"COMPLETED": "1.00", "FAILED": "6.00"}[state]
    id = client.order("/v1/transfers", {**transfer, "amount": amount}).get_json()["id"]
    api.post_payments()
    assert client.payment(id)["state"] == state
    rings.clear()
    with api.unchanged():
        answer = retry(ops, id)
    assert (answer.status_code, answer.get_json()["code"], rings) == (409, "payment_final", [])


@pytest.mark.parametrize("id", [UNKNOWN, "1", "%27", "x" * 200, "1%20OR%201=1"])
def test_n10_n52_unknown_payment_is_not_found(api: ApiHarness, ops: ApiUser, id: str) -> None:
    with api.unchanged():
        answer = retry(ops, id)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"reason": ""}, "invalid_value"),
        ({"reason": " "}, "invalid_value"),
        ({"reason": "x" * 501}, "text_too_long"),
        ({"reason": "a\x00b"}, "text_invalid"),
        ({"reason": None}, "null_not_allowed"),
        ({"reason": 1}, "invalid_type"),
        ({"reason": "x", "attempts": 0}, "unknown_field"),
        ({"reason": "x", "state": "INITIATED"}, "unknown_field"),
        ([], "invalid_type"),
    ],
)
def test_n16_retry_needs_a_reason_and_nothing_else(
    api: ApiHarness, ops: ApiUser, parked: str, body: Any, code: str
) -> None:
    with api.unchanged():
        answer = retry(ops, parked, body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


@pytest.mark.parametrize("role", ["client", "merchant", "auditor"])
def test_n05_n14_retry_needs_ops(api: ApiHarness, client: ApiUser, parked: str, role: str) -> None:
    person = client if role == "client" else api.person(role)
    with api.unchanged():
        many = {"filter": {"parked": True}, "dry_run": False, **REASON}
        answers = [retry(person, parked), person.call("POST", "/v1/ops/payments/retry", json=many)]
    assert [(a.status_code, a.get_json()["code"]) for a in answers] == [(403, "scope_missing")] * 2


def test_n14_retry_without_the_scope_is_refused(api: ApiHarness, parked: str) -> None:
    reader = api.person("ops", scopes=["ops:read"])
    assert reader.get("/v1/ops/payments?parked=true").status_code == 200
    with api.unchanged():
        assert retry(reader, parked).status_code == 403
