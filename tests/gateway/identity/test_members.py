"""Members of a merchant: invitations, roles that narrow, the person in audit log and timeline, removal at once."""

import pytest

from gateway.auth.scopes import MEMBER_SCOPES
from models.membership import MemberRole
from tests.gateway.auth.scope_matrix import CALLS, do, rule_of
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.identity.colleagues import NAMES, accept, confirmed, invite, member, signed_in
from tests.gateway.identity.signed_up_users import PASSWORD, audited, mailed, newcomer, outcome, post
from tests.support import at_once


@pytest.fixture
def owner(api: ApiHarness) -> ApiUser:
    """A merchant's own user, in a session."""
    return confirmed(api, "merchant")[1]


def test_an_invited_person_acts_for_the_merchant(api: ApiHarness, owner: ApiUser) -> None:
    invited = invite(owner, "Mia@example.com").get_json()
    assert (invited["state"], invited["role"], invited["invited_by"]) == ("open", "operator", owner.id)
    token = mailed(api, "Mia@example.com")
    missing = post(api, "/v1/invitations/accept", token=token)
    assert {error["pointer"] for error in missing.get_json()["errors"]} == {"/password", "/first_name", "/last_name"}
    body = post(api, "/v1/invitations/accept", token=token, password=PASSWORD, **NAMES).get_json()
    assert (body["merchant"], body["role"], body["is_new_user"]) == (owner.id, "operator", True)
    again = post(api, "/v1/invitations/accept", token=token, password=PASSWORD, **NAMES)
    assert outcome(again) == (422, "invitation_invalid")
    mia = signed_in(api, "Mia@example.com")
    wallet, customer = owner.wallet(), api.person("client").wallet("10.00")
    assert [row["token"] for row in mia.get("/v1/wallets").get_json()["data"]] == [wallet]
    charge = mia.charge(customer, "4.00")
    api.post_payments()
    assert owner.payment(charge)["state"] == mia.payment(charge)["state"] == "COMPLETED"
    refund = mia.order("/v1/refunds", {"charge": charge, "amount": "1.00", "reason": "duplicate"}).get_json()["id"]
    for id in (charge, refund):
        [first] = [s for s in owner.get(f"/v1/payments/{id}/timeline").get_json()["data"] if s["step"] == "initiated"]
        assert (first["actor"], first["actor_id"]) == ("maker", mia.id)
    own = owner.charge(customer, "1.00")
    assert owner.get(f"/v1/payments/{own}/timeline").get_json()["data"][0]["actor_id"] == owner.id
    people = {row["email"]: (row["role"], row["is_you"]) for row in mia.get("/v1/members").get_json()["data"]}
    assert people["Mia@example.com"] == ("operator", True)
    assert len(people) == 2
    renamed = mia.call("PATCH", "/v1/me", json={"last_name": "Moved"}).get_json()
    assert (renamed["role"], renamed["name"]) == ("member", "Mia Moved")
    assert outcome(mia.call("PATCH", "/v1/me", json={"name": "Shop"})) == (422, "unknown_field")
    assert [row["id"] for row in mia.get("/v1/memberships").get_json()["data"]] == [owner.id]
    assert audited(api, mia.id) == ["users.sign_up", "members.join", "users.change"]
    assert owner.get("/v1/invitations").get_json()["data"][0]["state"] == "accepted"


@pytest.mark.parametrize("role", MemberRole)
def test_a_role_narrows_each_operation(api: ApiHarness, owner: ApiUser, role: MemberRole) -> None:
    person = member(owner, role, f"{role}@{owner.id[-12:]}.example")
    ended = {"end all sessions", "end this session"}
    for call in CALLS.keys() - ended:
        method, rule = rule_of(api, call)
        [endpoint] = {r.endpoint for r in api.app.url_map.iter_rules() if r.rule == rule and method in r.methods}
        may = not MEMBER_SCOPES[role].isdisjoint(api.app.view_functions[endpoint].scopes)
        answer = do(person, call)
        code = (answer.get_json(silent=True) or {}).get("code")
        assert (code != "scope_missing") == may, call


def test_what_members_may_do_is_as_said() -> None:
    owner, operator, viewer = (MEMBER_SCOPES[role] for role in ("owner", "operator", "viewer"))
    assert viewer < operator < owner
    assert operator - viewer == {"charges:write"}
    assert {scope for scope in viewer if scope.endswith("write")} == {
        *("me:write", "sessions:write", "second-factor:write"),
    }
    assert {"api-keys:write", "bulks:write", "members:write", "withdrawals:write", "webhooks:write"} <= owner - operator


def test_a_removed_member_is_out_at_once_with_their_keys(api: ApiHarness, owner: ApiUser) -> None:
    second = member(owner, "owner", "second@example.com")
    key = ApiUser(api, second.id, second.call("POST", "/v1/api-keys", json={"name": "k"}).get_json()["token"])
    assert key.get("/v1/members").status_code == 200
    assert owner.call("DELETE", f"/v1/members/{second.id}").status_code == 204
    for gone in (second, key):
        assert outcome(gone.get("/v1/wallets")) == (401, "token_invalid")
    left = signed_in(api, "second@example.com")
    assert outcome(left.get("/v1/wallets")) == (403, "scope_missing")
    refused = post(api, "/v1/sessions", email="second@example.com", password=PASSWORD, merchant=owner.id)
    assert outcome(refused) == (403, "membership_missing")
    assert outcome(owner.call("DELETE", f"/v1/members/{second.id}")) == (404, "not_found")
    [removal] = [entry for entry in api.audit_log(second.id) if entry["action"] == "members.remove"]
    assert (removal["actor"], removal["before"], len(removal["after"]["ended"])) == (owner.id, {"role": "owner"}, 2)


def test_a_change_of_role_narrows_sessions_and_keys_at_once(api: ApiHarness, owner: ApiUser) -> None:
    second = member(owner, "owner", "narrowed@example.com")
    key = ApiUser(api, second.id, second.call("POST", "/v1/api-keys", json={"name": "k"}).get_json()["token"])
    path = f"/v1/members/{second.id}"
    answers = at_once(4, lambda _: owner.call("PATCH", path, json={"role": "viewer"}).get_json()["role"])
    assert answers == ["viewer"] * 4
    for narrowed in (second, key):
        assert narrowed.get("/v1/wallets").status_code == 200
        assert outcome(narrowed.call("POST", "/v1/wallets", json={"currency": "EUR"})) == (403, "scope_missing")
        assert outcome(narrowed.call("PATCH", path, json={"role": "owner"})) == (403, "scope_missing")
    assert audited(api, second.id).count("members.change") == 1


def test_one_owner_remains_though_both_remove_each_other(api: ApiHarness, owner: ApiUser) -> None:
    assert outcome(owner.call("DELETE", f"/v1/members/{owner.id}")) == (409, "last_owner")
    second = member(owner, "owner", "rival@example.com")
    assert outcome(second.call("PATCH", f"/v1/members/{owner.id}", json={"role": "viewer"})) == (
        *(409, "founder_is_owner"),
    )
    pairs = [(owner, second), (second, owner)] * 10
    answers = at_once(20, lambda n: pairs[n][0].call("DELETE", f"/v1/members/{pairs[n][1].id}").status_code)
    assert answers.count(204) == 1, answers
    assert set(answers) <= {204, 401, 404, 409, 503}
    roles = api.execute("SELECT role FROM memberships WHERE merchant_id = %s", owner.id)
    assert roles == ["owner"]


def test_the_founder_may_leave_the_merchant_to_others(api: ApiHarness) -> None:
    email, owner = confirmed(api, "merchant")
    heir = member(owner, "owner", "heir@example.com")
    key = ApiUser(api, owner.id, owner.call("POST", "/v1/api-keys", json={"name": "k"}).get_json()["token"])
    assert owner.call("DELETE", f"/v1/members/{owner.id}").status_code == 204
    for gone in (owner, key):
        assert outcome(gone.get("/v1/me")) == (401, "token_invalid")
    assert outcome(post(api, "/v1/sessions", email=email, password=PASSWORD)) == (403, "membership_missing")
    assert heir.get("/v1/wallets").status_code == 200


def test_who_has_a_user_joins_with_it_and_chooses_whom_they_act_for(api: ApiHarness, owner: ApiUser) -> None:
    email, client = confirmed(api)
    assert invite(owner, email, "viewer").status_code == 201
    body = accept(api, email).get_json()
    assert (body["is_new_user"], body["user"]) == (False, client.id)
    assert outcome(invite(owner, email)) == (409, "duplicate_member")
    assert client.get("/v1/wallets").status_code == 200
    alone, acting = signed_in(api, email), signed_in(api, email, merchant=owner.id)
    own, of_merchant = client.call("POST", "/v1/wallets", json={"currency": "XAF"}).get_json()["token"], owner.wallet()
    for person, seen in ((alone, own), (acting, of_merchant)):
        assert [row["token"] for row in person.get("/v1/wallets").get_json()["data"]] == [seen]
    assert outcome(acting.get(f"/v1/wallets/{own}")) == (404, "not_found")
    sessions = alone.get("/v1/sessions").get_json()["data"]
    assert sorted(str(row["merchant"]) for row in sessions) == sorted(["None", "None", owner.id])
    other = post(api, "/v1/sessions", email=email, password=PASSWORD, merchant=api.user("merchant"))
    assert outcome(other) == (403, "membership_missing")


def test_an_address_that_was_never_confirmed_cannot_take_over(api: ApiHarness, owner: ApiUser) -> None:
    email, squatter = newcomer(api)
    mailed(api, email)
    assert invite(owner, email).status_code == 201
    assert outcome(accept(api, email)) == (409, "user_unconfirmed")
    assert squatter.get("/v1/memberships").get_json()["data"] == []


def test_invitations_are_replaced_withdrawn_and_bounded(api: ApiHarness, owner: ApiUser) -> None:
    first = invite(owner, "guest@example.com").get_json()
    old = mailed(api, "guest@example.com")
    second = invite(owner, "GUEST@example.com", "viewer").get_json()
    form = {"password": PASSWORD, **NAMES}
    assert outcome(post(api, "/v1/invitations/accept", token=old, **form)) == (422, "invitation_invalid")
    states = {row["id"]: row["state"] for row in owner.get("/v1/invitations").get_json()["data"]}
    assert (states[first["id"]], states[second["id"]]) == ("withdrawn", "open")
    token = mailed(api, "GUEST@example.com")
    assert owner.call("DELETE", f"/v1/invitations/{second['id']}").status_code == 204
    assert outcome(owner.call("DELETE", f"/v1/invitations/{second['id']}")) == (404, "not_found")
    assert outcome(post(api, "/v1/invitations/accept", token=token, **form)) == (422, "invitation_invalid")
    answers = at_once(4, lambda _: invite(owner, "guest@example.com").status_code)
    assert sorted(answers) == [201, 429, 429, 429]
    open_ones = (
        "SELECT count(*) FROM invitations WHERE merchant_id = %s AND accepted_at IS NULL AND withdrawn_at IS NULL"
    )
    assert api.execute(open_ones, owner.id) == [1]
    expired = mailed(api, "guest@example.com")
    api.execute("UPDATE invitations SET expires_at = now() WHERE merchant_id = %s AND withdrawn_at IS NULL", owner.id)
    assert owner.get("/v1/invitations").get_json()["data"][0]["state"] == "expired"
    assert outcome(post(api, "/v1/invitations/accept", token=expired, **form)) == (422, "invitation_invalid")


def test_an_invitation_is_accepted_once_though_twenty_try(api: ApiHarness, owner: ApiUser) -> None:
    assert invite(owner, "many@example.com").status_code == 201
    token = mailed(api, "many@example.com")
    form = {"password": PASSWORD, **NAMES}
    tries = at_once(20, lambda _: post(api, "/v1/invitations/accept", token=token, **form).status_code)
    assert tries.count(201) == 1, tries
    assert set(tries) <= {201, 422, 503}
    assert api.execute("SELECT count(*) FROM users WHERE email = 'many@example.com'") == [1]


def test_a_members_token_needs_both_users_active(api: ApiHarness, owner: ApiUser) -> None:
    second = member(owner, "viewer", "both@example.com")
    for id in (owner.id, second.id):
        set_active(api, id, False)
        assert outcome(second.get("/v1/wallets")) == (403, "user_inactive")
        set_active(api, id, True)
        assert second.get("/v1/wallets").status_code == 200


def set_active(api: ApiHarness, id: str, is_active: bool) -> None:
    """Deactivate or activate a user, and forget their tokens."""
    api.execute("UPDATE users SET is_active = %s WHERE id = %s", is_active, id)
    api.app.extensions["gateway"].tokens.forget_everywhere(id)
