"""GET and PATCH /v1/merchant: any owner changes what customers see, whoever founded the merchant."""

import pytest

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.identity.colleagues import confirmed, member
from tests.gateway.identity.signed_up_users import audited, outcome
from tests.support import at_once

PATH = "/v1/merchant"


@pytest.fixture
def founder(api: ApiHarness) -> ApiUser:
    """A merchant's own user, in a session."""
    return confirmed(api, "merchant")[1]


def change(person: ApiUser, etag: str, **members: str):
    return person.call("PATCH", PATH, json=members, headers={"If-Match": etag})


def test_owner_renames_merchant_after_its_founder_left(api: ApiHarness, founder: ApiUser) -> None:
    heir = member(founder, "owner", "heir@example.com")
    names = api.execute("SELECT first_name || last_name FROM users WHERE id = %s", founder.id)
    assert heir.call("DELETE", f"/v1/members/{founder.id}").status_code == 204
    shown = heir.get(PATH)
    changed = change(heir, shown.headers["ETag"], name="Heir & Sons", url="https://heirs.example")
    assert (changed.status_code, changed.get_json()["name"]) == (200, "Heir & Sons")
    assert changed.headers["ETag"] != shown.headers["ETag"]
    assert heir.get(PATH).get_json() == changed.get_json()
    assert heir.get("/v1/memberships").get_json()["data"][0]["name"] == "Heir & Sons"
    assert api.execute("SELECT first_name || last_name FROM users WHERE id = %s", founder.id) == names
    [entry] = [entry for entry in api.audit_log(founder.id) if entry["action"] == "merchants.change"]
    assert (entry["actor"], entry["before"]["name"], entry["after"]) == (
        *(heir.id, shown.get_json()["name"]),
        {"name": "Heir & Sons", "url": "https://heirs.example"},
    )


def test_change_needs_the_version_that_it_was_made_for(api: ApiHarness, founder: ApiUser) -> None:
    shown = founder.get(PATH)
    etag = shown.headers["ETag"]
    assert founder.get(PATH, **{"If-None-Match": etag}).status_code == 304
    with api.unchanged():
        assert outcome(founder.call("PATCH", PATH, json={"name": "New"})) == (428, "precondition_required")
        assert outcome(change(founder, '"0-0"', name="New")) == (412, "precondition_failed")
        assert outcome(change(founder, etag, role="ops")) == (422, "unknown_field")
        assert outcome(change(founder, etag, name="")) == (422, "invalid_value")
        assert change(founder, etag, name=shown.get_json()["name"]).status_code == 200
    answers = at_once(4, lambda n: change(founder, etag, name=f"New {n}").status_code)
    assert sorted(answers) == [200, 412, 412, 412]
    assert audited(api, founder.id).count("merchants.change") == 1
    renamed = founder.call("PATCH", "/v1/me", json={"name": "By the founder"})
    assert renamed.status_code == 200
    assert founder.get(PATH).get_json()["name"] == "By the founder"


def test_operator_and_viewer_read_what_owners_change(api: ApiHarness, founder: ApiUser) -> None:
    etag = founder.get(PATH).headers["ETag"]
    for role in ("operator", "viewer"):
        person = member(founder, role, f"{role}@merchant.example")
        assert person.get(PATH).get_json()["id"] == founder.id
        assert outcome(change(person, etag, name="Mine")) == (403, "scope_missing")
    client = confirmed(api)[1]
    assert outcome(client.get(PATH)) == (403, "scope_missing")
