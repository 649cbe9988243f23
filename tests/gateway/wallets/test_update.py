"""Changes of a wallet by its owner: its label, and whether it is active."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into

AT_ONCE = 20


def change(person: ApiUser, wallet: str, body: Any, etag: str | None = "*") -> TestResponse:
    headers = {} if etag is None else {"If-Match": etag}
    return person.call("PATCH", f"/v1/wallets/{wallet}", json=body, headers=headers)


def etag(person: ApiUser, wallet: str) -> str:
    return person.get(f"/v1/wallets/{wallet}").headers["ETag"]


def tokens(person: ApiUser, query: str = "") -> list[str]:
    return [row["token"] for row in person.get(f"/v1/wallets?limit=100{query}").get_json()["data"]]


def audited(api: ApiHarness, wallet: str) -> list[dict[str, Any]]:
    return api.execute(
        "SELECT to_jsonb(l) FROM audit_log l JOIN accounts a ON a.id::text = l.target WHERE a.token = %s ORDER BY l.id",
        wallet,
    )


def test_a_label_and_a_flag(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet("5.00")
    shown, old = client.get(f"/v1/wallets/{wallet}").get_json(), etag(client, wallet)
    answer = change(client, wallet, {"label": "Savings", "is_active": False}, old)
    assert (answer.status_code, answer.get_json()) == (200, {**shown, "label": "Savings", "is_active": False})
    assert answer.headers["ETag"] == etag(client, wallet) != old
    assert client.get(f"/v1/wallets/{wallet}").get_json() == answer.get_json()
    back = change(client, wallet, {"is_active": True}, answer.headers["ETag"])
    assert (back.get_json()["label"], back.get_json()["is_active"]) == ("Savings", True)
    assert change(client, wallet, {"label": None}).get_json()["label"] is None


def test_a_change_is_audited_with_before_and_after(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet()
    request_id = change(client, wallet, {"label": "Savings"}).headers["Request-Id"]
    [line] = audited(api, wallet)
    [token_id] = api.execute("SELECT id::text FROM tokens WHERE user_id = %s", client.id)
    assert (line["actor"], line["token_id"], line["request_id"]) == (client.id, token_id, request_id)
    assert (line["action"], line["address"]) == ("wallets.change", "127.0.0.1")
    assert (line["before"], line["after"]) == ({"label": None}, {"label": "Savings"})
    assert wallet not in str(line)


@pytest.mark.parametrize("body", [{}, {"is_active": True}, {"label": None}])
def test_change_without_effect_stores_nothing(api: ApiHarness, client: ApiUser, body: dict) -> None:
    wallet = client.wallet()
    before = etag(client, wallet)
    with api.unchanged():
        answer = change(client, wallet, body, before)
    assert (answer.status_code, answer.headers["ETag"]) == (200, before)


@pytest.mark.parametrize("tag", ['"0-x"', "x", '"', "", 'W/"0"', '"a", "b"', "null"])
def test_change_with_an_old_etag_is_refused(api: ApiHarness, client: ApiUser, tag: str) -> None:
    wallet = client.wallet()
    with api.unchanged():
        answer = change(client, wallet, {"label": "x"}, tag)
    assert (answer.status_code, answer.get_json()["code"]) == (412, "precondition_failed")


def test_a_change_needs_an_etag(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet()
    with api.unchanged():
        answer = change(client, wallet, {"label": "x"}, None)
    assert (answer.status_code, answer.get_json()["code"]) == (428, "precondition_required")


def test_an_etag_may_be_one_of_several_and_weak(client: ApiUser) -> None:
    wallet = client.wallet()
    assert change(client, wallet, {"label": "a"}, f'"x", {etag(client, wallet)}').status_code == 200
    assert change(client, wallet, {"label": "b"}, f"W/{etag(client, wallet)}").status_code == 200


def test_posting_does_not_change_the_wallet_etag(client: ApiUser) -> None:
    wallet = client.wallet()
    old = etag(client, wallet)
    client.order("/v1/deposits", deposit_into(wallet))
    client.api.post_payments()
    assert client.balance(wallet) == "1.00"
    assert change(client, wallet, {"label": "a"}, old).status_code == 200
    assert change(client, wallet, {"label": "b"}, old).status_code == 412


def test_concurrent_changes_with_one_etag_one_wins(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet()
    old, together = etag(client, wallet), threading.Barrier(AT_ONCE)

    def race(number: int) -> int:
        together.wait()
        return change(client, wallet, {"label": f"L{number}"}, old).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = list(pool.map(race, range(AT_ONCE)))
    assert sorted(statuses) == [200] + [412] * (AT_ONCE - 1)
    [line] = audited(api, wallet)
    assert line["after"]["label"] == f"L{statuses.index(200)}"
    assert client.get(f"/v1/wallets/{wallet}").get_json()["label"] == line["after"]["label"]


@pytest.mark.parametrize("role", ["client", "merchant"])
def test_anothers_wallet_answers_not_found(api: ApiHarness, client: ApiUser, role: str) -> None:
    wallet, other = client.wallet(), api.person(role)
    with api.unchanged():
        answers = [change(other, token, {"is_active": False}) for token in (wallet, "wal_" + "x" * 32, "x", "%27")]
        unread = change(other, wallet, {"is_active": False}, None)
    bodies = [{k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")} for a in answers]
    assert {answer.status_code for answer in [*answers, unread]} == {404}
    assert all(body == bodies[0] for body in bodies)


@pytest.mark.parametrize("role", ["ops", "auditor"])
def test_n14_ops_read_wallets_and_change_none(api: ApiHarness, client: ApiUser, role: str) -> None:
    wallet, reader = client.wallet(), api.person(role)
    with api.unchanged():
        assert change(reader, wallet, {"is_active": False}).status_code == 403
        assert reader.call("POST", "/v1/wallets", json={"currency": "EUR"}).status_code == 403


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"balance": "1000.00"}, "unknown_field"),
        ({"token": "wal_" + "x" * 32}, "unknown_field"),
        ({"currency": "USD"}, "unknown_field"),
        ({"owner_id": "x"}, "unknown_field"),
        ({"is_frozen": False}, "unknown_field"),
        ({"version": 1}, "unknown_field"),
        ({"created_at": "2026-01-01T00:00:00Z"}, "unknown_field"),
        ({"is_active": None}, "null_not_allowed"),
        ({"is_active": "false"}, "invalid_type"),
        ({"is_active": 0}, "invalid_type"),
        ({"label": ""}, "invalid_value"),
        ({"label": "x" * 101}, "text_too_long"),
        ({"label": "a\u202eb"}, "text_invalid"),
        ({"label": 1}, "invalid_type"),
        ([], "invalid_type"),
    ],
)
def test_n16_n17_read_only_members_are_refused(api: ApiHarness, client: ApiUser, body: Any, code: str) -> None:
    wallet = client.wallet()
    with api.unchanged():
        answer = change(client, wallet, body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_lists_show_active_wallets_unless_asked(api: ApiHarness, client: ApiUser) -> None:
    used, unused, dollars = client.wallet(), client.wallet(), client.wallet(currency="USD")
    change(client, unused, {"is_active": False})
    assert tokens(client) == [dollars, used]
    assert tokens(client, "&is_active=true") == [dollars, used]
    assert tokens(client, "&is_active=false") == [unused]
    for both in ("true,false", "false,true"):
        assert tokens(client, f"&is_active={both}") == [dollars, unused, used]
    assert tokens(client, "&currency=EUR") == [used]
    assert tokens(client, "&currency=EUR&is_active=true,false") == [unused, used]
    assert tokens(client, "&currency=XTS") == []


def test_an_inactive_wallet_is_shown_to_its_owner_and_to_ops(
    api: ApiHarness, client: ApiUser, stranger: ApiUser
) -> None:
    wallet = client.wallet()
    change(client, wallet, {"is_active": False})
    for reader in (client, api.person("ops"), api.person("auditor")):
        assert reader.get(f"/v1/wallets/{wallet}").get_json()["is_active"] is False
    assert stranger.get(f"/v1/wallets/{wallet}").status_code == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("is_active=", "invalid_value"),
        ("is_active=1", "invalid_value"),
        ("is_active=True", "invalid_value"),
        ("is_active=true;false", "invalid_value"),
        ("is_active=' OR 1=1--", "invalid_value"),
        ("is_active=%00", "invalid_value"),
        ("currency=eur", "currency_unknown"),
        ("currency=EUR,USD", "currency_unknown"),
        ("currency=%25", "currency_unknown"),
        ("is_frozen=true", "unknown_parameter"),
        ("owner=x", "unknown_parameter"),
        ("is_active=true&is_active=false", "repeated_parameter"),
    ],
)
def test_n50_n52_invalid_filters_are_refused(client: ApiUser, query: str, code: str) -> None:
    answer = client.get(f"/v1/wallets?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_n55_a_cursor_belongs_to_its_filter(client: ApiUser) -> None:
    for _ in range(2):
        client.wallet()
    cursor = client.get("/v1/wallets?limit=1").get_json()["next_cursor"]
    assert client.get(f"/v1/wallets?limit=1&cursor={cursor}").status_code == 200
    for other in ("is_active=false", "is_active=true,false", "currency=EUR"):
        assert client.get(f"/v1/wallets?limit=1&{other}&cursor={cursor}").get_json()["code"] == "bad_cursor"


def test_known_etag_answers_304(client: ApiUser) -> None:
    wallet = client.wallet()
    known = etag(client, wallet)
    for tag in (known, f"W/{known}", f'"x", {known}', "*"):
        answer = client.get(f"/v1/wallets/{wallet}", **{"If-None-Match": tag})
        assert (answer.status_code, answer.get_data(), answer.headers["ETag"]) == (304, b"", known)
    change(client, wallet, {"label": "new"})
    assert client.get(f"/v1/wallets/{wallet}", **{"If-None-Match": known}).status_code == 200
