"""The matrix of scopes: which role may call which operation, and what the others are answered."""

import pytest

from gateway.auth.scopes import SCOPES
from tests.gateway.auth.scope_matrix import CALLS, MOVES_MONEY, do, rule_of
from tests.gateway.auth.scope_statuses import MATRIX, ROLES
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.support import Database

PUBLIC = {
    *("health.live", "health.ready", "health.status", "docs.root", "docs.openapi", "docs.page", "docs.asset"),
    *("sign_up.sign_up_client", "sign_up.sign_up_merchant", "sessions.open_session"),
    *("confirmations.confirm", "confirmations.resend", "confirmations.request_reset", "confirmations.reset"),
    *("receipts.list_keys", "invitations.accept_invitation"),
}


def test_every_route_declares_its_scopes(api: ApiHarness) -> None:
    views = {rule.endpoint: api.app.view_functions[rule.endpoint] for rule in api.rules}
    assert [name for name, view in views.items() if not hasattr(view, "scopes")] == []
    assert {name for name, view in views.items() if not view.scopes} == PUBLIC


def test_every_scope_of_a_route_is_some_roles(api: ApiHarness) -> None:
    declared = set().union(*(api.app.view_functions[rule.endpoint].scopes for rule in api.rules))
    assert declared <= set().union(*SCOPES.values())


def test_every_protected_route_has_its_row_in_the_matrix(api: ApiHarness) -> None:
    routes = {
        (method, rule.rule)
        for rule in api.rules
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if api.app.view_functions[rule.endpoint].scopes
    }
    assert routes == {rule_of(api, call) for call in CALLS}
    assert CALLS.keys() == MATRIX.keys()


@pytest.mark.parametrize("call", MATRIX)
def test_n13_n14_the_matrix(api: ApiHarness, call: str) -> None:
    people = [api.anonymous(), *map(api.person, ROLES)]
    with api.unchanged():
        answers = [do(person, call) for person in people]
    assert tuple(answer.status_code for answer in answers) == MATRIX[call]
    codes = {answer.get_json()["code"] for answer in answers if answer.status_code == 403}
    assert codes <= {"scope_missing"}


@pytest.mark.parametrize("call", MATRIX)
def test_the_matrix_is_that_of_the_scopes(api: ApiHarness, call: str) -> None:
    method, rule = rule_of(api, call)
    [endpoint] = {r.endpoint for r in api.app.url_map.iter_rules() if r.rule == rule and method in r.methods}
    scopes = api.app.view_functions[endpoint].scopes
    assert [role for role in ROLES if SCOPES[role].isdisjoint(scopes)] == [
        role for role, status in zip(ROLES, MATRIX[call][1:], strict=True) if status == 403
    ]


@pytest.fixture(scope="module")
def outcasts(api: ApiHarness) -> dict[str, list[ApiUser]]:
    """Users of each role without a valid token, scope or account, by the code of their answer."""
    fates = {
        "token_invalid": (
            "UPDATE tokens SET expires_at = now() WHERE user_id = %s",
            "UPDATE tokens SET revoked_at = now() WHERE user_id = %s",
        ),
        "user_inactive": ("UPDATE users SET is_active = false WHERE id = %s",),
    }
    found: dict[str, list[ApiUser]] = {"scope_missing": [api.person(role, scopes=[]) for role in ROLES]}
    for code, statements in fates.items():
        found[code] = [api.person(role) for role in ROLES for _ in statements]
        for at, person in enumerate(found[code]):
            api.execute(statements[at % len(statements)], person.id)
    return found


@pytest.mark.parametrize("call", MATRIX)
def test_matrix_of_callers_without_valid_access(api: ApiHarness, call: str, outcasts: dict[str, list[ApiUser]]) -> None:
    with api.unchanged():
        for code, people in outcasts.items():
            assert {do(person, call).get_json()["code"] for person in people} == {code}


@pytest.mark.parametrize("call", MATRIX)
def test_the_unconfirmed_read_and_move_no_money(api: ApiHarness, call: str) -> None:
    people = list(map(api.person, ROLES))
    for person in people:
        api.execute("UPDATE users SET email_confirmed_at = NULL WHERE id = %s", person.id)
    with api.unchanged():
        answers = [do(person, call) for person in people]
    expected = [403 if call in MOVES_MONEY else status for status in MATRIX[call][1:]]
    assert [answer.status_code for answer in answers] == expected
    unconfirmed = {
        a.get_json()["code"]
        for a, s in zip(answers, MATRIX[call][1:], strict=True)
        if 403 not in (s, 204) and a.status_code == 403
    }
    assert unconfirmed == ({"email_unconfirmed"} if call in MOVES_MONEY else set())


def test_a_token_with_scopes_of_its_own_has_no_others(api: ApiHarness) -> None:
    reader = api.person("client", scopes=["wallets:read"])
    assert reader.get("/v1/wallets").status_code == 200
    assert reader.get("/v1/payments").get_json()["code"] == "scope_missing"
    assert reader.call("POST", "/v1/wallets", json={"currency": "EUR"}).status_code == 403


def test_deposits_when_owners_may_not(fresh_database: Database) -> None:
    closed = ApiHarness(fresh_database, deposits_open=False)
    owner = closed.person()
    wallet = owner.wallet()
    order = deposit_into(wallet)
    with closed.unchanged():
        refused = owner.order("/v1/deposits", order)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "deposits_closed")
    provider = closed.person("merchant", scopes=["deposits:write", "payments:read"])
    for maker in (closed.person("ops"), provider):
        answer = maker.order("/v1/deposits", order)
        assert answer.status_code == 202
        assert answer.get_json()["target"]["wallet"] == wallet
