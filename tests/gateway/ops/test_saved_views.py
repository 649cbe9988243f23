"""Saved views: of one person, or shared; each name once, and only queries that the list itself takes."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from models.rules.saved_views import VIEWS_MAX
from tests.gateway.harness import ApiHarness, ApiUser

VIEWS = "/v1/ops/saved-views"
FAILED = {"list": "payments", "name": "Failed", "query": "state=FAILED&columns=amount,reason"}


@pytest.fixture
def olga(api: ApiHarness) -> ApiUser:
    return api.person("ops", "Olga")


@pytest.fixture
def auditor(api: ApiHarness) -> ApiUser:
    return api.person("auditor", "Aud")


def save(person: ApiUser, **members: Any):
    return person.call("POST", VIEWS, json={**FAILED, **members})


def seen(person: ApiUser, query: str = "") -> list[str]:
    return [view["id"] for view in person.get(f"{VIEWS}{query}").get_json()["data"]]


def test_view_is_saved_once_renamed_and_deleted(api: ApiHarness, olga: ApiUser) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: save(olga), range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 19}
    [view] = {answer.get_json()["id"]: answer.get_json() for answer in answers}.values()
    assert (view["user"], view["owner"], view["is_shared"]) == (olga.id, "Olga", False)
    assert view["query"] == "state=FAILED&columns=amount%2Creason"
    assert save(olga, name="fAILED").get_json()["code"] == "duplicate_view"
    other = save(olga, name="Other", query="parked=true").get_json()["id"]
    path = f"{VIEWS}/{view['id']}"
    assert olga.call("PATCH", path, json={"name": "other"}).get_json()["code"] == "duplicate_view"
    assert olga.call("PATCH", path, json={"name": "  Lost \t money "}).get_json()["name"] == "Lost money"
    assert olga.call("PATCH", path, json={}).get_json()["code"] == "required"
    assert olga.call("PATCH", path, json={"query": "role=ops"}).status_code == 422
    assert seen(olga, "?list=payments") == [other, view["id"]]
    assert seen(olga, "?list=audit") == []
    assert olga.call("DELETE", path).status_code == 204
    assert olga.call("DELETE", path).status_code == 404
    assert seen(olga) == [other]
    assert api.audit_log(view["id"]) == [], "who reads the log does not learn what one looks for"


def test_shared_view_is_seen_by_all_and_changed_by_its_owner(api: ApiHarness, olga: ApiUser, auditor: ApiUser) -> None:
    other = api.person("ops", "Oscar")
    own, shared = (save(olga, name=str(name), is_shared=name).get_json()["id"] for name in (False, True))
    for person in (other, auditor):
        assert own not in seen(person)
        assert shared in seen(person)
        with api.unchanged():
            for id in (own, shared, str(uuid4())):
                assert person.call("PATCH", f"{VIEWS}/{id}", json={"name": "mine"}).status_code == 404
                assert person.call("DELETE", f"{VIEWS}/{id}").status_code == 404
    assert save(other, name="True").status_code == 201, "names are of each person"
    assert olga.call("PATCH", f"{VIEWS}/{shared}", json={"is_shared": False}).get_json()["is_shared"] is False
    assert shared not in seen(other)
    assert [entry["action"] for entry in api.audit_log(shared)] == ["saved_views.create", "saved_views.update"]


def test_auditor_saves_for_themselves_alone(api: ApiHarness, olga: ApiUser, auditor: ApiUser) -> None:
    view = save(auditor).get_json()["id"]
    assert view not in seen(olga)
    with api.unchanged():
        assert save(auditor, name="all", is_shared=True).get_json()["code"] == "scope_missing"
        answer = auditor.call("PATCH", f"{VIEWS}/{view}", json={"is_shared": True})
        assert answer.get_json()["code"] == "scope_missing"
    assert auditor.call("PATCH", f"{VIEWS}/{view}", json={"name": "mine"}).status_code == 200
    assert auditor.call("DELETE", f"{VIEWS}/{view}").status_code == 204


@pytest.mark.usefixtures("olga", "unchanged")
def test_query_that_the_list_would_refuse_is_not_saved(olga: ApiUser) -> None:
    for list, query, code in (
        *(("payments", query, "invalid_value") for query in ("state=LOST", "parked=false", "stuck=-1", "ids=1")),
        *(("payments", query, "invalid_value") for query in ("created_from=today", "stuck=1&parked=true")),
        ("payments", "currency=euro", "currency_unknown"),
        *(("audit", query, "unknown_parameter") for query in ("state=FAILED", "limit=1", "cursor=x", "secret=1")),
        ("accounts", "show=secrets", "invalid_value"),
        ("bulks", "kind=../../sign-out", "invalid_value"),
        ("users", "role=ops#x", "invalid_value"),
        ("webhooks", "//evil.example/?state=ok", "unknown_parameter"),
        ("payments", "state=FAILED\r\nSet-Cookie: a=b", "text_invalid"),
    ):
        answer = save(olga, list=list, query=query).get_json()
        assert (answer.get("code"), answer["errors"][0]["pointer"]) == (code, "/query"), (query, answer)
    assert save(olga, list="secrets").status_code == 422
    assert save(olga, owner="somebody").status_code == 422


def test_of_many_at_once_no_more_are_saved_than_may_be(olga: ApiUser) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda number: save(olga, name=f"view {number}"), range(VIEWS_MAX + 10)))
    assert Counter(answer.status_code for answer in answers) == {201: VIEWS_MAX, 409: 10}
    assert {answer.get_json()["code"] for answer in answers if answer.status_code == 409} == {"too_many_saved_views"}
    assert save(olga, name="view 1").status_code in (200, 409)
    assert len(seen(olga, "?limit=100")) >= VIEWS_MAX
