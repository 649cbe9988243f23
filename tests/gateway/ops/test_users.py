"""Ops activate and deactivate users, and list users, wallets and the audit log."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.auth.tokens import CACHE_SECONDS
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.support import eventually

UNKNOWN = "01890000-0000-7000-8000-000000000000"
OFF = {"is_active": False, "reason": "fraud"}
ON = {"is_active": True, "reason": "mistaken identity"}
USER = {
    "id", "role", "email", "first_name", "last_name", "phone_number", "name", "url", "is_active", "email_confirmed",
    "created_at",
}  # fmt: skip
DETAILS = {"is_frozen", "members", "invitations", "wallets", "sessions", "api_keys", "payments", "audit"}
ACCOUNT = {
    "id", "owner", "code", "last4", "label", "currency", "balance", "held", "available", "is_active", "is_frozen",
    "created_at",
    "charge_limits", "blocked_merchants", "balance_at",
}  # fmt: skip


@pytest.fixture
def ops(api: ApiHarness) -> ApiUser:
    """An operator of this test alone."""
    return api.person("ops", "Ona")


def change(person: ApiUser, id: str, body: Any) -> TestResponse:
    return person.call("PATCH", f"/v1/ops/users/{id}", json=body)


def rows(person: ApiUser, path: str) -> list[dict[str, Any]]:
    return person.get(f"/v1/ops/{path}").get_json()["data"]


def email(person: ApiUser) -> str:
    return f"{person.id}@example.com"


def test_user_is_shown_without_credentials(ops: ApiUser, client: ApiUser) -> None:
    answer = ops.get(f"/v1/ops/users/{client.id}")
    shown = answer.get_json()
    assert (answer.status_code, shown.keys()) == (200, USER | DETAILS)
    assert (shown["id"], shown["role"], shown["email"]) == (client.id, "client", email(client))
    assert (shown["is_active"], shown["email_confirmed"]) == (True, True)
    [row] = rows(ops, f"users?email={email(client).upper()}")
    assert row == {name: shown[name] for name in USER}


def test_users_are_filtered(ops: ApiUser, client: ApiUser, merchant: ApiUser) -> None:
    def ids(query: str) -> set[str]:
        return {client.id, merchant.id} & {row["id"] for row in rows(ops, f"users?limit=100&{query}")}

    assert ids("") == {client.id, merchant.id}
    assert ids("role=merchant") == {merchant.id}
    assert ids(f"role=merchant&email={email(client)}") == set()
    change(ops, client.id, OFF)
    assert ids("") == {merchant.id}
    assert ids("is_active=false") == {client.id}
    assert ids("is_active=true,false") == {client.id, merchant.id}
    assert ids(f"email={email(client)}") == set()


def test_deactivated_user_is_refused_everywhere_in_a_second(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    elsewhere = ApiUser(ApiHarness(api.database), client.id, client.token)
    assert [who.get("/v1/wallets").status_code for who in (client, elsewhere)] == [200, 200]
    answer = change(ops, client.id, OFF)
    assert (answer.status_code, answer.get_json()["is_active"]) == (200, False)
    assert client.get("/v1/wallets").get_json()["code"] == "user_inactive"
    eventually(lambda: elsewhere.get("/v1/wallets").status_code == 403, seconds=CACHE_SECONDS + 0.5)
    assert elsewhere.get("/v1/wallets").get_json()["code"] == "user_inactive"
    assert change(ops, client.id, ON).get_json()["is_active"] is True
    assert [who.get("/v1/wallets").status_code for who in (client, elsewhere)] == [200, 200]


def test_activation_is_audited_with_reason(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    ids = [change(ops, client.id, body).headers["Request-Id"] for body in (OFF, OFF, ON, ON)]
    [token_id] = api.execute("SELECT id::text FROM tokens WHERE user_id = %s", ops.id)
    on, off = rows(api.person("auditor"), f"audit?target={client.id}")
    assert (off["action"], off["reason"], off["request_id"]) == ("users.deactivate", "fraud", ids[0])
    assert (off["before"], off["after"]) == ({"is_active": True}, {"is_active": False})
    assert (on["action"], on["reason"], on["request_id"]) == ("users.activate", "mistaken identity", ids[2])
    assert (on["before"], on["after"]) == ({"is_active": False}, {"is_active": True})
    for line in (off, on):
        assert (line["actor"], line["token_id"], line["address"]) == (ops.id, token_id, "127.0.0.1")
        assert line["written_by"] == "payments_gateway"


def test_n20_own_user_cannot_be_deactivated(api: ApiHarness, ops: ApiUser) -> None:
    with api.unchanged():
        answer = change(ops, ops.id, OFF)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "own_user")
    assert change(ops, ops.id, ON).status_code == 200
    assert change(api.person("ops"), ops.id, OFF).status_code == 200


@pytest.mark.parametrize("role", ["client", "merchant", "auditor"])
def test_n14_only_ops_change_users(api: ApiHarness, client: ApiUser, role: str) -> None:
    person = api.person(role)
    with api.unchanged():
        answers = [change(person, id, OFF) for id in (client.id, person.id, UNKNOWN)]
    assert {(a.status_code, a.get_json()["code"]) for a in answers} == {(403, "scope_missing")}


@pytest.mark.parametrize("path", ["payments?stuck=1", "users", "accounts", "audit", f"users/{UNKNOWN}"])
def test_n14_customers_cannot_read_ops_routes(api: ApiHarness, client: ApiUser, merchant: ApiUser, path: str) -> None:
    for person, status in ((client, 403), (merchant, 403), (api.anonymous(), 401)):
        assert person.get(f"/v1/ops/{path}").status_code == status


@pytest.mark.parametrize("id", [UNKNOWN, "1", "%27", "1%20OR%201=1", "%00", "me"])
def test_n10_n52_unknown_user_is_not_found(api: ApiHarness, ops: ApiUser, id: str) -> None:
    with api.unchanged():
        assert change(ops, id, OFF).status_code == ops.get(f"/v1/ops/users/{id}").status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"is_active": False}, "required"),
        ({"reason": "x"}, "required"),
        ({**OFF, "reason": ""}, "invalid_value"),
        ({**OFF, "reason": "x" * 501}, "text_too_long"),
        ({**OFF, "is_active": "false"}, "invalid_type"),
        ({**OFF, "is_active": None}, "null_not_allowed"),
        ({**OFF, "role": "ops"}, "unknown_field"),
        ({**OFF, "email": "a@example.com"}, "unknown_field"),
        ({**OFF, "is_staff": True}, "unknown_field"),
        ({**OFF, "password_hash": "x"}, "unknown_field"),
        ({**OFF, "email_confirmed": True}, "unknown_field"),
    ],
)
def test_n16_n17_ops_cannot_set_other_members(
    api: ApiHarness, ops: ApiUser, client: ApiUser, body: Any, code: str
) -> None:
    with api.unchanged():
        answer = change(ops, client.id, body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_wallets_of_all_users_are_listed_without_tokens(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    wallet, other = client.wallet("7.00"), client.wallet(currency="USD")
    answer = ops.get(f"/v1/ops/accounts?owner={client.id}")
    dollars, euros = answer.get_json()["data"]
    assert euros.keys() == ACCOUNT
    assert (euros["owner"], euros["last4"], euros["balance"]) == (client.id, wallet[-4:], "7.00")
    assert (euros["held"], euros["available"], euros["is_frozen"]) == ("0.00", "7.00", False)
    assert (dollars["currency"], dollars["last4"]) == ("USD", other[-4:])
    assert "wal_" not in answer.get_data(as_text=True)
    assert euros["id"] in {row["id"] for row in rows(api.person("auditor"), "accounts?limit=100")}
    assert rows(ops, f"accounts?owner={client.id}&currency=USD") == [dollars]
    client.call("PATCH", f"/v1/wallets/{other}", json={"is_active": False}, headers={"If-Match": "*"})
    assert rows(ops, f"accounts?owner={client.id}") == [euros]
    assert rows(ops, f"accounts?owner={client.id}&is_active=false") == [{**dollars, "is_active": False}]
    assert rows(ops, f"accounts?owner={UNKNOWN}") == []


def test_audit_log_is_filtered_newest_first(ops: ApiUser, client: ApiUser, stranger: ApiUser) -> None:
    for who in (client, stranger):
        change(ops, who.id, OFF)
    change(ops, client.id, ON)

    def lines(query: str) -> list[tuple[str, str]]:
        return [(line["action"], line["target"]) for line in rows(ops, f"audit?actor={ops.id}{query}")]

    activated, second, first = ("users.activate", client.id), ("users.deactivate", stranger.id), None
    first = ("users.deactivate", client.id)
    assert lines("") == [activated, second, first]
    assert lines(f"&target={client.id}") == [activated, first]
    assert lines("&action=users.deactivate") == [second, first]
    assert lines("&action=users.%25") == lines("&action=users_deactivate") == []
    page = ops.get(f"/v1/ops/audit?actor={ops.id}&limit=2").get_json()
    rest = ops.get(f"/v1/ops/audit?actor={ops.id}&limit=2&cursor={page['next_cursor']}").get_json()
    back = ops.get(f"/v1/ops/audit?actor={ops.id}&limit=2&cursor={rest['prev_cursor']}").get_json()
    assert [(line["action"], line["target"]) for line in rest["data"]] == [first]
    assert (back["data"], rest["has_more"]) == (page["data"], False)


LISTS = {"users": "role=client", "accounts": "currency=EUR", "audit": "action=users.deactivate", "payments": "stuck=0"}


@pytest.fixture
def listed(api: ApiHarness, ops: ApiUser) -> ApiUser:
    """An ops user, with at least two rows in each list."""
    for _ in range(2):
        person = api.person()
        order = deposit_into(person.wallet())
        assert person.order("/v1/deposits", order).status_code == 202
        change(ops, api.person().id, OFF)
    return ops


@pytest.mark.parametrize("name", LISTS)
def test_n54_invalid_limit_is_refused(listed: ApiUser, name: str) -> None:
    path = f"/v1/ops/{name}?{LISTS[name]}"
    assert len(listed.get(f"{path}&limit=1").get_json()["data"]) == 1
    for limit in ("0", "-1", "101", "1000000000", "1e2", "", "NaN"):
        answer = listed.get(f"{path}&limit={limit}")
        assert (answer.status_code, answer.get_json()["code"]) == (422, "limit_out_of_range"), limit


@pytest.mark.parametrize("name", LISTS)
def test_n55_foreign_cursor_is_refused(api: ApiHarness, listed: ApiUser, name: str) -> None:
    path = f"/v1/ops/{name}?{LISTS[name]}&limit=1"
    cursor = listed.get(path).get_json()["next_cursor"]
    assert listed.get(f"{path}&cursor={cursor}").status_code == 200
    filters = {
        "users": "is_active=false",
        "accounts": "is_active=false",
        "audit": "target=x",
        "payments": "type=charge",
    }
    elsewhere = next(other for other in LISTS if other != name)
    refused = [
        listed.get(f"{path}&cursor={cursor[:-1]}"),
        listed.get(f"{path}&cursor={cursor}x"),
        listed.get(f"{path}&cursor={cursor.rpartition('.')[0]}"),
        listed.get(f"{path}&cursor={'a' * 1_000}"),
        listed.get(f"{path}&cursor=%00"),
        listed.get(f"{path}&{filters[name]}&cursor={cursor}"),
        listed.get(f"/v1/ops/{elsewhere}?{LISTS[elsewhere]}&cursor={cursor}"),
        api.person("ops").get(f"{path}&cursor={cursor}"),
    ]
    assert [(a.status_code, a.get_json()["code"]) for a in refused] == [(400, "bad_cursor")] * len(refused)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "query", ["sort=email", "sort=id;DROP TABLE users", "offset=1", "order_by=1", "role[]=x", "%00=1", "password=x"]
)
def test_n50_n53_unknown_parameter_is_refused(ops: ApiUser, name: str, query: str) -> None:
    answer = ops.get(f"/v1/ops/{name}?{LISTS[name]}&{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "unknown_parameter")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("users?role=admin", "invalid_value"),
        ("users?role=client,merchant", "invalid_value"),
        ("users?role=' OR 1=1--", "invalid_value"),
        ("users?is_active=yes", "invalid_value"),
        ("users?email=", "invalid_value"),
        ("users?email=%00", "text_invalid"),
        (f"users?email={'a' * 255}", "text_too_long"),
        ("users?role=client&role=ops", "repeated_parameter"),
        ("accounts?owner=1", "invalid_value"),
        ("accounts?owner=' OR 1=1--", "invalid_value"),
        ("accounts?currency=%25", "currency_unknown"),
        ("accounts?is_active=", "invalid_value"),
        ("audit?target=%00", "text_invalid"),
        ("audit?actor=", "invalid_value"),
        (f"audit?action={'a' * 256}", "text_too_long"),
    ],
)
def test_n52_n56_invalid_filter_value_is_refused(ops: ApiUser, query: str, code: str) -> None:
    answer = ops.get(f"/v1/ops/{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


@pytest.mark.parametrize(
    "query",
    ["users?email=%25", "users?email=%27 OR 1=1--", "users?email=_@example.com", "audit?target=%27;--",
     "audit?actor=%25", "audit?action=users.*"],
)  # fmt: skip
def test_n52_n56_metacharacters_are_literal(listed: ApiUser, query: str) -> None:
    assert rows(listed, query) == []
