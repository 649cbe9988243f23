"""Ops invite an owner where none may sign in: one deactivates, another invites, who reads the mail accepts."""

import pytest
from werkzeug.test import TestResponse

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.identity.colleagues import NAMES, confirmed, member, signed_in
from tests.gateway.identity.signed_up_users import PASSWORD, mailed, outcome, post
from tests.support import at_once

WHY = {"reason": "its director died; the heirs sent the papers"}


@pytest.fixture
def left(api: ApiHarness, ops: ApiUser) -> ApiUser:
    """A merchant's only owner, whom one of ops deactivated."""
    founder = confirmed(api, "merchant")[1]
    set_active(ops, founder, is_active=False)
    return founder


@pytest.fixture
def other(api: ApiHarness) -> ApiUser:
    """Another of ops."""
    return api.person("ops")


def set_active(ops: ApiUser, person: ApiUser, *, is_active: bool) -> None:
    answer = ops.call("PATCH", f"/v1/ops/users/{person.id}", json={"is_active": is_active, **WHY})
    assert answer.status_code == 200, answer.get_json()


def invite(ops: ApiUser, merchant: ApiUser, email: str = "heir@example.com") -> TestResponse:
    return ops.call("POST", f"/v1/ops/users/{merchant.id}/invitations", json={"email": email, **WHY})


def test_invited_owner_has_all_rights_once_it_is_active(
    api: ApiHarness, ops: ApiUser, other: ApiUser, left: ApiUser
) -> None:
    invited = invite(other, left).get_json()
    assert (invited["state"], invited["role"], invited["invited_by"], invited["merchant"]) == (
        *("open", "owner", other.id),
        left.id,
    )
    accepted = post(api, "/v1/invitations/accept", token=mailed(api, "heir@example.com"), password=PASSWORD, **NAMES)
    assert (accepted.status_code, accepted.get_json()["role"]) == (201, "owner")
    heir = signed_in(api, "heir@example.com")
    assert outcome(heir.get("/v1/wallets")) == (403, "user_inactive")
    set_active(ops, left, is_active=True)
    assert heir.call("DELETE", f"/v1/members/{left.id}").status_code == 204
    [shown] = heir.get("/v1/invitations").get_json()["data"]
    assert (shown["is_by_ops"], shown["invited_by"], "reason" in shown) == (True, None, False)
    detail = ops.get(f"/v1/ops/users/{left.id}").get_json()
    assert [(row["email"], row["role"]) for row in detail["members"]] == [("heir@example.com", "owner")]
    assert (detail["invitations"][0]["reason"], detail["invitations"][0]["state"]) == (WHY["reason"], "accepted")
    [entry] = [entry for entry in api.audit_log(left.id) if entry["action"] == "merchants.invite_owner"]
    assert (entry["actor"], entry["reason"], entry["after"]["email"]) == (
        *(other.id, WHY["reason"]),
        "heir@example.com",
    )


def test_invitation_is_refused_while_an_owner_may_sign_in(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    founder = confirmed(api, "merchant")[1]
    assert outcome(invite(ops, founder)) == (409, "owner_active")
    assert outcome(invite(ops, client)) == (404, "not_found")
    second = member(founder, "owner", "second@owners.example")
    assert second.call("DELETE", f"/v1/members/{founder.id}").status_code == 204
    assert outcome(invite(ops, founder)) == (409, "owner_active")
    set_active(api.person("ops"), second, is_active=False)
    assert outcome(invite(ops, founder, "second@owners.example")) == (409, "duplicate_member")
    answers = at_once(4, lambda n: invite(ops, founder, f"heir{n}@example.com").status_code)
    assert sorted(answers) == [201] * 4


def test_who_deactivated_the_owner_does_not_invite(
    api: ApiHarness, ops: ApiUser, other: ApiUser, left: ApiUser
) -> None:
    with api.unchanged():
        assert outcome(invite(ops, left)) == (409, "own_deactivation")
    assert invite(other, left).status_code == 201


def test_acceptance_is_refused_once_an_owner_is_active(
    api: ApiHarness, ops: ApiUser, other: ApiUser, left: ApiUser
) -> None:
    assert invite(other, left).status_code == 201
    assert invite(other, left, "twin@example.com").status_code == 201
    tokens = [mailed(api, email) for email in ("heir@example.com", "twin@example.com")]
    accepting = {"password": PASSWORD, **NAMES}
    set_active(ops, left, is_active=True)
    with api.unchanged():
        assert outcome(post(api, "/v1/invitations/accept", token=tokens[0], **accepting)) == (409, "owner_active")
    set_active(ops, left, is_active=False)
    answers = at_once(2, lambda n: post(api, "/v1/invitations/accept", token=tokens[n], **accepting).status_code)
    assert sorted(answers) == [201, 409]


def test_operator_whom_ops_invite_becomes_an_owner(api: ApiHarness, ops: ApiUser, other: ApiUser) -> None:
    founder = confirmed(api, "merchant")[1]
    operator = member(founder, "operator", "stays@example.com")
    set_active(ops, founder, is_active=False)
    assert invite(other, founder, "stays@example.com").status_code == 201
    assert post(api, "/v1/invitations/accept", token=mailed(api, "stays@example.com")).status_code == 201
    set_active(ops, founder, is_active=True)
    assert operator.call("DELETE", f"/v1/members/{founder.id}").status_code == 204


def test_withdrawn_invitation_is_invalid(api: ApiHarness, ops: ApiUser, other: ApiUser, left: ApiUser) -> None:
    id = invite(other, left).get_json()["id"]
    token, path = mailed(api, "heir@example.com"), f"/v1/ops/invitations/{id}/withdraw"
    assert ops.call("POST", path, json=WHY).get_json()["state"] == "withdrawn"
    assert outcome(ops.call("POST", path, json=WHY)) == (404, "not_found")
    refused = post(api, "/v1/invitations/accept", token=token, password=PASSWORD, **NAMES)
    assert outcome(refused) == (422, "invitation_invalid")
    founder = confirmed(api, "merchant")[1]
    theirs = founder.call("POST", "/v1/invitations", json={"email": "x@example.com", "role": "viewer"}).get_json()
    assert outcome(ops.call("POST", f"/v1/ops/invitations/{theirs['id']}/withdraw", json=WHY)) == (404, "not_found")
