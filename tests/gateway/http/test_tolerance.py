"""Input that clients write in several ways is read alike: times, null, a byte order mark, no body at all."""

from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.gateway.harness import ApiHarness, ApiUser

BOM = b"\xef\xbb\xbf"


@pytest.fixture
def charge(client: ApiUser, merchant: ApiUser) -> dict[str, Any]:
    """The body of a charge."""
    merchant.wallet()
    return {"wallet": client.wallet("10.00"), "amount": "1.00", "currency": "EUR"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2200-01-02T03:04:05Z", "2200-01-02T03:04:05+00:00"),
        ("2200-01-02t03:04:05z", "2200-01-02T03:04:05+00:00"),
        ("2200-01-02T03:04:05.1Z", "2200-01-02T03:04:05.100000+00:00"),
        ("2200-01-02T03:04:05.123456Z", "2200-01-02T03:04:05.123456+00:00"),
        ("2200-01-02T03:04:05.1234567Z", "2200-01-02T03:04:05.123456+00:00"),
        ("2200-01-02T03:04:05.123456789z", "2200-01-02T03:04:05.123456+00:00"),
        ("2200-01-02t03:04:05.999999999+05:30", "2200-01-01T21:34:05.999999+00:00"),
        ("2200-01-02T03:04:05-00:00", "2200-01-02T03:04:05+00:00"),
    ],
)
def test_a_time_is_read_as_rfc_3339_lets_it_be_written(
    merchant: ApiUser, charge: dict, written: str, read: str
) -> None:
    answer = merchant.order("/v1/charges", {**charge, "scheduled_at": written})
    assert (answer.status_code, answer.get_json()["scheduled_at"]) == (202, read)


@pytest.mark.parametrize(
    "written",
    [
        *("2200-01-02T03:04:05", "2200-01-02 03:04:05Z", "2200-01-02T03:04:05.Z", "2200-01-02T03:04:05.1234567890Z"),
        *(
            "2200-01-02T03:04:05123Z",
            "2200-01-02T03:04:05,5Z",
            "2200-01-02T03:04Z",
            "2200-01-02T24:00:00Z",
            "2200-01-02",
        ),
        *("2200-01-02T03:04:05+0530", "2200-01-02T03:04:05.\u0661Z", "2200-02-30T00:00:00Z", "2200-01-02"),
    ],
)
def test_what_is_no_time(api: ApiHarness, merchant: ApiUser, charge: dict, written: str) -> None:
    with api.unchanged():
        answer = merchant.order("/v1/charges", {**charge, "scheduled_at": written})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_value")


def posts(api: ApiHarness) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """Every POST and PUT of JSON: its path, the members of its body, and the required ones."""
    components = api.contract["components"]["schemas"]
    for path, operations in api.contract["paths"].items():
        for method in operations.keys() & {"post", "put"}:
            content = operations[method].get("requestBody", {}).get("content", {}).get("application/json")
            if content is not None and "$ref" in content["schema"]:
                schema = components[content["schema"]["$ref"].rpartition("/")[2]]
                yield f"{method} {path}", schema.get("properties", {}), set(schema.get("required", ()))


def call(api: ApiHarness, way: str, body: Any, **kwargs: Any) -> TestResponse:
    method, path = way.split()
    path = path.replace("{id}", "01900000-0000-7000-8000-000000000000").replace("{token}", "wal_" + "x" * 32)
    role = "ops" if "/ops/" in path or "exchange-rates" in path or "currencies" in path else "merchant"
    headers = {"Idempotency-Key": "k", "If-Match": "*"}
    return api.person(role).call(method.upper(), path, json=body, headers=headers, **kwargs)


def test_null_means_absent_for_optional_members_alone(api: ApiHarness) -> None:
    ways = list(posts(api))
    assert len(ways) > 30
    for way, members, required in ways:
        if not members:
            continue
        answer = call(api, way, dict.fromkeys(members))
        errors = answer.get_json().get("errors", ()) if answer.status_code >= 400 else ()
        refused = {error["pointer"][1:] for error in errors if error["code"] == "null_not_allowed"}
        assert refused == required, way


def test_a_charge_whose_other_members_are_null(api: ApiHarness, merchant: ApiUser, charge: dict) -> None:
    nulls = dict.fromkeys(("target", "capture", "reference", "summary", "metadata", "scheduled_at", "expires_at"))
    first = merchant.order("/v1/charges", {**charge, **nulls}, "k")
    again = merchant.order("/v1/charges", charge, "k")
    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.get_json(), again.headers["Idempotent-Replayed"]) == (first.get_json(), "true")
    other = merchant.order("/v1/charges", {**charge, "summary": "a:null"}, "k")
    assert other.get_json()["code"] == "idempotency_key_reused"


def test_lines_of_a_bulk_whose_other_members_are_null(api: ApiHarness, merchant: ApiUser, charge: dict) -> None:
    line = {"wallet": charge["wallet"], "amount": "1.00"}
    first, again = (
        merchant.order("/v1/bulk-charges", {"currency": "EUR", "charges": [line]}, "k")
        for line in ({**line, "currency": None, "summary": None, "reference": None}, line)
    )
    assert (first.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert first.get_json()["id"] == again.get_json()["id"]


def test_a_null_that_is_no_member_is_refused(api: ApiHarness, merchant: ApiUser, charge: dict) -> None:
    with api.unchanged():
        for change in ({"metadata": {"a": None}}, {"amount": None}):
            answer = merchant.order("/v1/charges", {**charge, **change})
            assert (answer.status_code, answer.get_json()["code"]) == (422, "null_not_allowed")
        unknown = merchant.order("/v1/charges", {**charge, "colour": None})
        assert (unknown.status_code, unknown.get_json()["code"]) == (422, "unknown_field")


def test_null_takes_away_or_is_refused_in_a_change(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.call("POST", "/v1/wallets", json={"currency": "EUR", "label": "Rent"}).get_json()["token"]

    def change(body: dict[str, Any]) -> TestResponse:
        return client.call("PATCH", f"/v1/wallets/{wallet}", json=body, headers={"If-Match": "*"})

    assert change({"is_active": None}).get_json()["code"] == "null_not_allowed"
    assert change({"label": None}).get_json()["label"] is None


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_a_json_text_with_a_bom_is_read(api: ApiHarness, merchant: ApiUser, charge: dict, content_type: str) -> None:
    data = str(charge).replace("'", '"').encode()
    first, again = (
        merchant.raw("/v1/charges", text, content_type, **{"Idempotency-Key": f"k {content_type}".replace(" ", "")})
        for text in (BOM + data, data)
    )
    assert (first.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.get_json()["id"] == first.get_json()["id"]


@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-www-form-urlencoded"])
def test_every_action_without_a_body_is_as_with_an_empty_object(api: ApiHarness, content_type: str | None) -> None:
    actions = [way for way, _, required in posts(api) if not required and way.startswith("post")]
    assert {"post /v1/charges/{id}/capture", "post /v1/charges/{id}/void", "post /v1/payments/{id}/cancel"} <= {
        *actions
    }
    for way in actions:
        empty, nothing = call(api, way, {}), call(api, way, None, content_type=content_type)
        outcomes = [(a.status_code, a.get_json().get("code"), a.get_json().get("errors")) for a in (empty, nothing)]
        assert outcomes[0] == outcomes[1], way


def test_action_replays_with_and_without_a_body(api: ApiHarness, merchant: ApiUser, charge: dict) -> None:
    id = merchant.order("/v1/charges", {**charge, "capture": False}).get_json()["id"]
    api.post_payments()
    path, headers = f"/v1/charges/{id}/capture", {"Idempotency-Key": "c"}
    first = merchant.call("POST", path, headers=headers)
    assert first.status_code == 202
    for body in ({}, {"amount": None}, None):
        again = merchant.call("POST", path, json=body, headers=headers)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    api.post_payments()
    assert merchant.payment(id)["captured_amount"] == "1.00"


@pytest.mark.parametrize("data", [b"", None])
def test_an_order_or_a_change_needs_its_body(api: ApiHarness, merchant: ApiUser, data: bytes | None) -> None:
    with api.unchanged():
        headers = {"Idempotency-Key": "k"}
        order = merchant.call("POST", "/v1/charges", data=data, content_type="application/json", headers=headers)
        change = merchant.call("PATCH", "/v1/me", data=data, content_type="application/json")
    assert {(a.status_code, a.get_json()["code"]) for a in (order, change)} == {(400, "malformed_json")}
