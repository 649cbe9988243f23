"""N01 to N28 over HTTP, as far as routes exist: who may do and see what."""

import secrets

import pytest
from uuid_utils import compat as uuids
from werkzeug.test import TestResponse

import bell
from gateway.auth.scopes import SCOPES
from gateway.auth.tokens import CACHE_SECONDS
from models import token as tokens
from models.session import transaction
from tests.gateway.bulks.builders import CHARGES, ORGANIZATION, TRANSFERS, line
from tests.gateway.bulks.builders import order as order_of_transfers
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.webhooks.helpers import delivery, endpoint
from tests.support import Database, eventually

PUBLIC = {
    *("health.live", "health.ready", "health.status", "docs.root", "docs.openapi", "docs.page", "docs.asset"),
    *("sign_up.sign_up_client", "sign_up.sign_up_merchant", "sessions.open_session"),
    *("confirmations.confirm", "confirmations.resend", "confirmations.request_reset", "confirmations.reset"),
}


def test_every_route_declares_its_scopes(house: ApiHarness) -> None:
    views = {rule.endpoint: house.app.view_functions[rule.endpoint] for rule in house.app.url_map.iter_rules()}
    assert [name for name, view in views.items() if not hasattr(view, "scopes")] == []
    assert {name for name, view in views.items() if not view.scopes} == PUBLIC


def test_every_scope_of_a_route_is_some_roles(house: ApiHarness) -> None:
    declared = set().union(*(view.scopes for view in house.app.view_functions.values()))
    assert declared <= set().union(*SCOPES.values())


WALLET = "wal_" + "a" * 32
ID = str(uuids.uuid7())
WHY = {"reason": "to see"}
CALLS = {
    "deposits": ("POST", "/v1/deposits", {"wallet": WALLET, "amount": "1.00", "currency": "EUR", "source": "wire"}),
    "transfers": (
        "POST",
        "/v1/transfers",
        {"source": WALLET, "target": WALLET[:-1] + "b", "amount": "1.00", "currency": "EUR"},
    ),
    "charges": ("POST", "/v1/charges", {"wallet": WALLET, "amount": "1.00", "currency": "EUR"}),
    "capture": ("POST", f"/v1/charges/{ID}/capture", {}),
    "void": ("POST", f"/v1/charges/{ID}/void", {}),
    "cancel": ("POST", f"/v1/payments/{ID}/cancel", {}),
    "refunds": ("POST", "/v1/refunds", {"charge": ID, "reason": "duplicate"}),
    "withdrawals": (
        "POST",
        "/v1/withdrawals",
        {"wallet": WALLET, "amount": "1.00", "currency": "EUR", "target": "wallet"},
    ),
    "bank account": ("POST", "/v1/bank-accounts", {"organization_name": 1}),
    "bank accounts": ("GET", "/v1/bank-accounts", None),
    "a bank account": ("GET", f"/v1/bank-accounts/{ID}", None),
    "alter bank account": ("PATCH", f"/v1/bank-accounts/{ID}", {"is_active": True}),
    "bulk transfers": ("POST", "/v1/bulk-transfers", {"credit_transfers": 1}),
    "list bulks": ("GET", "/v1/bulk-transfers", None),
    "a bulk": ("GET", f"/v1/bulk-transfers/{ID}", None),
    "a bulk's lines": ("GET", f"/v1/bulk-transfers/{ID}/lines", None),
    "a bulk's events": ("GET", f"/v1/bulk-transfers/{ID}/events", None),
    "add lines": ("PUT", f"/v1/bulk-transfers/{ID}/lines", {}),
    "close a bulk": ("POST", f"/v1/bulk-transfers/{ID}/close", {}),
    "bulk charges": ("POST", "/v1/bulk-charges", {"charges": 1}),
    "list runs": ("GET", "/v1/bulk-charges", None),
    "a run": ("GET", f"/v1/bulk-charges/{ID}", None),
    "a run's lines": ("GET", f"/v1/bulk-charges/{ID}/lines", None),
    "a run's events": ("GET", f"/v1/bulk-charges/{ID}/events", None),
    "add charges": ("PUT", f"/v1/bulk-charges/{ID}/lines", {}),
    "close a run": ("POST", f"/v1/bulk-charges/{ID}/close", {}),
    "quotes": ("POST", "/v1/quotes", {"source_currency": "EUR", "target_currency": "XAF", "amount": "1.00"}),
    "exchanges": ("POST", "/v1/exchanges", {"source": WALLET, "target": WALLET[:-1] + "b", "quote": ID}),
    "payments": ("GET", "/v1/payments", None),
    "payment": ("GET", f"/v1/payments/{ID}", None),
    "operations": ("GET", f"/v1/payments/{ID}/operations", None),
    "timeline": ("GET", f"/v1/payments/{ID}/timeline", None),
    "its events": ("GET", f"/v1/payments/{ID}/events", None),
    "its socket": ("GET", f"/v1/payments/{ID}/socket", None),
    "all events": ("GET", "/v1/events", None),
    "open a wallet": ("POST", "/v1/wallets", {"currency": "EUR", "label": 1}),
    "wallets": ("GET", "/v1/wallets", None),
    "wallet": ("GET", f"/v1/wallets/{WALLET}", None),
    "change a wallet": ("PATCH", f"/v1/wallets/{WALLET}", {"label": "mine"}),
    "rotate a wallet": ("POST", f"/v1/wallets/{WALLET}/rotate", {}),
    "wallet's merchants": ("GET", f"/v1/wallets/{WALLET}/merchants", None),
    "wallet's history": ("GET", f"/v1/wallets/{WALLET}/operations", None),
    "wallet's balance": ("GET", f"/v1/wallets/{WALLET}/balance?at=2026-11-01T00:00:00Z", None),
    "wallet's statement": ("GET", f"/v1/wallets/{WALLET}/statement?month=2026-11", None),
    "currencies": ("GET", "/v1/currencies", None),
    "currency": ("GET", "/v1/currencies/EUR", None),
    "add a currency": ("POST", "/v1/currencies", {"code": 1}),
    "change a currency": ("PATCH", "/v1/currencies/XXX", {"is_active": True}),
    "rates": ("GET", "/v1/exchange-rates", None),
    "tell a rate": ("PUT", "/v1/exchange-rates", {"source": 1}),
    "preview": ("POST", "/v1/commissions/preview", {"type": "transfer", "amount": "1.00", "currency": "EUR"}),
    "me": ("GET", "/v1/me", None),
    "change me": ("PATCH", "/v1/me", {"role": "ops"}),
    "sessions": ("GET", "/v1/sessions", None),
    "end a session": ("DELETE", f"/v1/sessions/{ID}", None),
    "end this session": ("DELETE", "/v1/sessions/current", None),
    "end all sessions": ("DELETE", "/v1/sessions", None),
    "keys": ("GET", "/v1/api-keys", None),
    "make a key": ("POST", "/v1/api-keys", {"name": 1}),
    "roll a key": ("POST", f"/v1/api-keys/{ID}/roll", {}),
    "end a key": ("DELETE", f"/v1/api-keys/{ID}", None),
    "make an endpoint": ("POST", "/v1/webhook-endpoints", {"url": 1}),
    "endpoints": ("GET", "/v1/webhook-endpoints", None),
    "an endpoint": ("GET", f"/v1/webhook-endpoints/{ID}", None),
    "alter an endpoint": ("PATCH", f"/v1/webhook-endpoints/{ID}", {"is_active": True}),
    "end an endpoint": ("DELETE", f"/v1/webhook-endpoints/{ID}", None),
    "rotate a secret": ("POST", f"/v1/webhook-endpoints/{ID}/rotate-secret", {}),
    "test an endpoint": ("POST", f"/v1/webhook-endpoints/{ID}/test", {}),
    "deliveries": ("GET", f"/v1/webhook-endpoints/{ID}/deliveries", None),
    "redeliver many": (
        "POST",
        f"/v1/webhook-endpoints/{ID}/redeliver",
        {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"},
    ),
    "a delivery": ("GET", f"/v1/webhook-deliveries/{ID}", None),
    "redeliver": ("POST", f"/v1/webhook-deliveries/{ID}/redeliver", {}),
    "ops: payments": ("GET", "/v1/ops/payments?parked=true", None),
    "ops: retry": ("POST", f"/v1/ops/payments/{ID}/retry", WHY),
    "ops: retry all": ("POST", "/v1/ops/payments/retry", {"filter": {"parked": True}, **WHY}),
    "ops: users": ("GET", "/v1/ops/users", None),
    "ops: user": ("GET", f"/v1/ops/users/{ID}", None),
    "ops: change a user": ("PATCH", f"/v1/ops/users/{ID}", {"is_active": True, **WHY}),
    "ops: accounts": ("GET", "/v1/ops/accounts", None),
    "ops: audit": ("GET", "/v1/ops/audit", None),
    "ops: adjustments": ("GET", "/v1/ops/adjustments", None),
    "ops: adjust": ("POST", "/v1/ops/adjustments", {"account": 1}),
    "ops: approve": ("POST", f"/v1/ops/adjustments/{ID}/approve", {}),
    "ops: reconcile": ("POST", "/v1/ops/reconciliations", {}),
    "ops: reconciled": ("GET", f"/v1/ops/reconciliations/{ID}", None),
    "ops: lines": ("GET", f"/v1/ops/reconciliations/{ID}/lines", None),
    "ops: match": ("POST", f"/v1/ops/reconciliations/{ID}/lines/1/match", {"payment": ID, **WHY}),
    "ops: reject": ("POST", f"/v1/ops/adjustments/{ID}/reject", {"reason": "No"}),
    "ops: terms": ("GET", "/v1/ops/commission-terms", None),
    "ops: new terms": ("POST", "/v1/ops/commission-terms", {"type": 1}),
    "ops: commissions": ("GET", "/v1/ops/commissions?from=2026-11-01&to=2026-11-02", None),
}
ROLES = ("client", "merchant", "ops", "auditor")
MATRIX = {
    #                     nobody client merchant ops auditor
    "deposits":           (401, 404, 404, 404, 403),
    "transfers":          (401, 404, 404, 403, 403),
    "charges":            (401, 403, 404, 403, 403),
    "capture":            (401, 403, 404, 403, 403),
    "void":               (401, 403, 404, 403, 403),
    "cancel":             (401, 404, 404, 404, 403),
    "refunds":            (401, 403, 404, 403, 403),
    "withdrawals":        (401, 404, 404, 403, 403),
    "bank account":       (401, 403, 422, 403, 403),
    "bank accounts":      (401, 200, 200, 200, 200),
    "a bank account":     (401, 404, 404, 404, 404),
    "alter bank account": (401, 403, 404, 403, 403),
    "bulk transfers":     (401, 403, 422, 403, 403),
    "list bulks":         (401, 200, 200, 200, 200),
    "a bulk":             (401, 404, 404, 404, 404),
    "a bulk's lines":     (401, 404, 404, 404, 404),
    "a bulk's events":    (401, 404, 404, 404, 404),
    "add lines":          (401, 403, 404, 403, 403),
    "close a bulk":       (401, 403, 404, 403, 403),
    "bulk charges":       (401, 403, 422, 403, 403),
    "list runs":          (401, 200, 200, 200, 200),
    "a run":              (401, 404, 404, 404, 404),
    "a run's lines":      (401, 404, 404, 404, 404),
    "a run's events":     (401, 404, 404, 404, 404),
    "add charges":        (401, 403, 404, 403, 403),
    "close a run":        (401, 403, 404, 403, 403),
    "quotes":             (401, 422, 422, 403, 403),
    "exchanges":          (401, 404, 404, 403, 403),
    "payments":           (401, 200, 200, 200, 200),
    "payment":            (401, 404, 404, 404, 404),
    "operations":         (401, 404, 404, 404, 404),
    "timeline":           (401, 404, 404, 404, 404),
    "its events":         (401, 404, 404, 404, 404),
    "its socket":         (401, 404, 404, 404, 404),
    "all events":         (401, 200, 200, 200, 200),
    "open a wallet":      (401, 422, 422, 403, 403),
    "wallets":            (401, 200, 200, 200, 200),
    "wallet":             (401, 404, 404, 404, 404),
    "change a wallet":    (401, 404, 404, 403, 403),
    "rotate a wallet":    (401, 404, 404, 403, 403),
    "wallet's merchants": (401, 404, 404, 404, 404),
    "wallet's history":   (401, 404, 404, 404, 404),
    "wallet's balance":   (401, 404, 404, 404, 404),
    "wallet's statement": (401, 404, 404, 404, 404),
    "currencies":         (401, 200, 200, 200, 200),
    "currency":           (401, 200, 200, 200, 200),
    "add a currency":     (401, 403, 403, 422, 403),
    "change a currency":  (401, 403, 403, 404, 403),
    "rates":              (401, 200, 200, 200, 200),
    "tell a rate":        (401, 403, 403, 422, 403),
    "preview":            (401, 200, 200, 200, 200),
    "me":                 (401, 200, 200, 200, 200),
    "change me":          (401, 422, 422, 422, 422),
    "sessions":           (401, 200, 200, 200, 200),
    "end a session":      (401, 404, 404, 404, 404),
    "end this session":   (401, 404, 404, 404, 404),
    "end all sessions":   (401, 204, 204, 204, 204),
    "keys":               (401, 200, 200, 200, 200),
    "make a key":         (401, 422, 422, 422, 422),
    "roll a key":         (401, 404, 404, 404, 404),
    "end a key":          (401, 404, 404, 404, 404),
    "make an endpoint":   (401, 422, 422, 403, 403),
    "endpoints":          (401, 200, 200, 403, 403),
    "an endpoint":        (401, 404, 404, 403, 403),
    "alter an endpoint":  (401, 404, 404, 403, 403),
    "end an endpoint":    (401, 404, 404, 403, 403),
    "rotate a secret":    (401, 404, 404, 403, 403),
    "test an endpoint":   (401, 404, 404, 403, 403),
    "deliveries":         (401, 404, 404, 403, 403),
    "redeliver many":     (401, 404, 404, 403, 403),
    "a delivery":         (401, 404, 404, 403, 403),
    "redeliver":          (401, 404, 404, 403, 403),
    "ops: payments":      (401, 403, 403, 200, 200),
    "ops: retry":         (401, 403, 403, 404, 403),
    "ops: retry all":     (401, 403, 403, 200, 403),
    "ops: users":         (401, 403, 403, 200, 200),
    "ops: user":          (401, 403, 403, 404, 404),
    "ops: change a user": (401, 403, 403, 404, 403),
    "ops: accounts":      (401, 403, 403, 200, 200),
    "ops: audit":         (401, 403, 403, 200, 200),
    "ops: adjustments":   (401, 403, 403, 200, 200),
    "ops: adjust":        (401, 403, 403, 422, 403),
    "ops: approve":       (401, 403, 403, 404, 403),
    "ops: reconcile":     (401, 403, 403, 415, 403),
    "ops: reconciled":    (401, 403, 403, 404, 404),
    "ops: lines":         (401, 403, 403, 404, 404),
    "ops: match":         (401, 403, 403, 404, 403),
    "ops: reject":        (401, 403, 403, 404, 403),
    "ops: terms":         (401, 403, 403, 200, 200),
    "ops: new terms":     (401, 403, 403, 422, 403),
    "ops: commissions":   (401, 403, 403, 200, 200),
}  # fmt: skip
"""Every protected route by what it answers; where it is not 401 or 403, the caller may, and asked for nothing real."""

MOVES_MONEY = {
    *("deposits", "transfers", "charges", "capture", "void", "cancel", "refunds"),
    *("withdrawals", "quotes", "exchanges"),
    *("bank account", "alter bank account", "bulk transfers", "add lines", "close a bulk"),
    *("bulk charges", "add charges", "close a run"),
}
"""What needs a scope that waits for the confirmed address."""


def rule_of(house: ApiHarness, call: str) -> tuple[str, str]:
    """Method and route of a call."""
    method, path, _ = CALLS[call]
    adapter = house.app.url_map.bind("")
    return method, adapter.match(path.partition("?")[0], method, return_rule=True)[0].rule


def do(person: ApiUser, call: str) -> TestResponse:
    method, path, body = CALLS[call]
    if body is None:
        return person.call(method, path)
    return person.call(method, path, json=body, headers={"Idempotency-Key": secrets.token_hex(8), "If-Match": "*"})


def test_every_protected_route_has_its_row_in_the_matrix(house: ApiHarness) -> None:
    routes = {
        (method, rule.rule)
        for rule in house.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if house.app.view_functions[rule.endpoint].scopes
    }
    assert routes == {rule_of(house, call) for call in CALLS}
    assert CALLS.keys() == MATRIX.keys()


@pytest.mark.parametrize("call", MATRIX)
def test_n13_n14_the_matrix(house: ApiHarness, call: str) -> None:
    people = [house.nobody(), *map(house.person, ROLES)]
    with house.unchanged():
        answers = [do(person, call) for person in people]
    assert tuple(answer.status_code for answer in answers) == MATRIX[call]
    codes = {answer.get_json()["code"] for answer in answers if answer.status_code == 403}
    assert codes <= {"scope_missing"}


@pytest.mark.parametrize("call", MATRIX)
def test_the_matrix_is_that_of_the_scopes(house: ApiHarness, call: str) -> None:
    method, rule = rule_of(house, call)
    [endpoint] = {r.endpoint for r in house.app.url_map.iter_rules() if r.rule == rule and method in r.methods}
    scopes = house.app.view_functions[endpoint].scopes
    assert [role for role in ROLES if SCOPES[role].isdisjoint(scopes)] == [
        role for role, status in zip(ROLES, MATRIX[call][1:], strict=True) if status == 403
    ]


@pytest.fixture(scope="module")
def outcasts(house: ApiHarness) -> dict[str, list[ApiUser]]:
    """Somebody of each role whose token, or who himself, is no good; by what he is answered."""
    fates = {
        "token_invalid": (
            "UPDATE tokens SET expires_at = now() WHERE user_id = %s",
            "UPDATE tokens SET revoked_at = now() WHERE user_id = %s",
        ),
        "user_inactive": ("UPDATE users SET is_active = false WHERE id = %s",),
    }
    found: dict[str, list[ApiUser]] = {"scope_missing": [house.person(role, scopes=[]) for role in ROLES]}
    for code, statements in fates.items():
        found[code] = [house.person(role) for role in ROLES for _ in statements]
        for at, person in enumerate(found[code]):
            house.execute(statements[at % len(statements)], person.id)
    return found


@pytest.mark.parametrize("call", MATRIX)
def test_the_matrix_of_those_whom_nothing_is_allowed(
    house: ApiHarness, call: str, outcasts: dict[str, list[ApiUser]]
) -> None:
    with house.unchanged():
        for code, people in outcasts.items():
            assert {do(person, call).get_json()["code"] for person in people} == {code}


@pytest.mark.parametrize("call", MATRIX)
def test_the_unconfirmed_read_and_move_no_money(house: ApiHarness, call: str) -> None:
    people = list(map(house.person, ROLES))
    for person in people:
        house.execute("UPDATE users SET email_confirmed_at = NULL WHERE id = %s", person.id)
    with house.unchanged():
        answers = [do(person, call) for person in people]
    expected = [403 if call in MOVES_MONEY else status for status in MATRIX[call][1:]]
    assert [answer.status_code for answer in answers] == expected
    unconfirmed = {
        a.get_json()["code"]
        for a, s in zip(answers, MATRIX[call][1:], strict=True)
        if 403 not in (s, 204) and a.status_code == 403
    }
    assert unconfirmed == ({"email_unconfirmed"} if call in MOVES_MONEY else set())


def objects_of(owner: ApiUser, house: ApiHarness) -> dict[str, dict[str, str]]:
    """Something of the owner's, or of who charged him, for every parameter in a route, by the route's beginning."""
    wallet = owner.wallet("10.00")
    [payment] = owner.get("/v1/payments").get_json()["data"]
    key = owner.call("POST", "/v1/api-keys", json={"name": "till"}).get_json()["id"]
    shop = house.person("merchant")
    shop.wallet()
    order = {"wallet": wallet, "amount": "1.00", "currency": "EUR", "capture": False}
    charge = shop.order("/v1/charges", order).get_json()["id"]
    bank = {"organization_name": "ACME Corp", "iban": ORGANIZATION["organization_iban"], "wallet": wallet}
    account = owner.call("POST", "/v1/bank-accounts", json=bank).get_json()["id"]
    bulk = owner.order(TRANSFERS, order_of_transfers(line())).get_json()["id"]
    run = owner.order(CHARGES, {"currency": "EUR", "charges": [{"wallet": shop.wallet(), "amount": "1.00"}]}).get_json()
    hook = endpoint(owner)
    session = str(uuids.uuid7())
    with transaction(house.gateway) as connection:
        tokens.open_session(connection, session, owner.id, tokens.new(), 1, None, None)
    return {
        "/v1/payments/<id>": {"<id>": payment["id"]},
        "/v1/charges/<id>": {"<id>": charge},
        "/v1/wallets/<token>": {"<token>": wallet},
        "/v1/sessions/<id>": {"<id>": session},
        "/v1/api-keys/<id>": {"<id>": key},
        "/v1/bank-accounts/<id>": {"<id>": account},
        "/v1/bulk-transfers/<id>": {"<id>": bulk},
        "/v1/bulk-charges/<id>": {"<id>": run["id"]},
        "/v1/webhook-endpoints/<id>": {"<id>": hook},
        "/v1/webhook-deliveries/<id>": {"<id>": delivery(house, hook)},
    }


OF_SOMEBODY = [
    call for call, (_, path, _) in CALLS.items() if (ID in path or WALLET in path) and not call.startswith("ops:")
]
"""Calls that name an object of one user; those of ops may name everybody's."""


@pytest.fixture(scope="module")
def holder(house: ApiHarness) -> ApiUser:
    """A merchant with one of everything."""
    return house.person("merchant")


@pytest.fixture(scope="module")
def owned(house: ApiHarness, holder: ApiUser) -> dict[str, dict[str, str]]:
    """What the holder has, which no stranger changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bell, "ring", lambda *_: None)
        return objects_of(holder, house)


@pytest.mark.parametrize("call", OF_SOMEBODY)
def test_anothers_object_is_as_unknown_as_none(
    house: ApiHarness, call: str, holder: ApiUser, owned: dict[str, dict[str, str]]
) -> None:
    method, rule = rule_of(house, call)
    stranger = house.person("merchant")
    [(beginning, theirs)] = [(k, v) for k, v in owned.items() if rule.startswith(k)]
    [(parameter, value)] = theirs.items()
    _, path, body = CALLS[call]
    real = "".join((rule.replace(parameter, value), *path.partition("?")[1:]))
    kwargs = {} if body is None else {"json": body}
    headers = {"If-Match": "*", "Idempotency-Key": secrets.token_hex(8)}
    with house.unchanged():
        answers = [stranger.call(method, at, headers=headers, **kwargs) for at in (real, path)]
    assert [answer.status_code for answer in answers] == [404, 404], beginning
    bodies = [{k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")} for a in answers]
    assert bodies[0] == bodies[1]
    if call == "its socket":
        assert holder.get(real).status_code == 426
    elif method == "GET":  # without a body: a stream's would be long
        assert holder.call("HEAD", real).status_code == 200


def test_n01_n03_a_strangers_payment_is_as_unknown_as_none(client: ApiUser, stranger: ApiUser) -> None:
    client.wallet("10.00")
    [payment] = client.get("/v1/payments").get_json()["data"]
    for suffix in ("", "/operations"):
        theirs = stranger.get(f"/v1/payments/{payment['id']}{suffix}")
        unknown = stranger.get(f"/v1/payments/{uuids.uuid7()}{suffix}")
        same = [
            {k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")} for a in (theirs, unknown)
        ]
        assert theirs.status_code == unknown.status_code == 404
        assert same[0] == same[1]


def test_n02_another_merchants_charge(house: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    purse = client.wallet("10.00")
    merchant.wallet()
    charge = merchant.order("/v1/charges", {"wallet": purse, "amount": "1.00", "currency": "EUR"}).get_json()
    assert house.person("merchant").get(f"/v1/payments/{charge['id']}").status_code == 404


def test_n03_a_strangers_wallet(client: ApiUser, stranger: ApiUser) -> None:
    wallet = client.wallet()
    assert stranger.get(f"/v1/wallets/{wallet}").status_code == 404
    assert client.get(f"/v1/wallets/{wallet}").status_code == 200


def test_n04_filtering_by_a_strangers_wallet_shows_no_rows(client: ApiUser, stranger: ApiUser) -> None:
    wallet = client.wallet("10.00")
    assert stranger.get(f"/v1/payments?wallet={wallet}").get_json()["data"] == []
    assert len(client.get(f"/v1/payments?wallet={wallet}").get_json()["data"]) == 1


def test_n06_n12_a_strangers_wallet_as_source(house: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    purse, own = client.wallet("10.00"), stranger.wallet()
    order = {"target": own, "amount": "1.00", "currency": "EUR"}
    with house.unchanged():
        theirs = stranger.order("/v1/transfers", {**order, "source": purse})
        unknown = stranger.order("/v1/transfers", {**order, "source": "wal_" + "x" * 32})
    assert theirs.status_code == unknown.status_code == 404
    assert theirs.get_json()["errors"] == unknown.get_json()["errors"]


def test_n12_a_deposit_into_a_strangers_wallet(house: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    wallet = client.wallet()
    with house.unchanged():
        order = {"wallet": wallet, "amount": "1.00", "currency": "EUR", "source": "wire"}
        assert stranger.order("/v1/deposits", order).status_code == 404


def test_n12_a_charge_into_a_strangers_wallet(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, stranger: ApiUser
) -> None:
    purse, foreign = client.wallet("5.00"), stranger.wallet()
    with house.unchanged():
        order = {"wallet": purse, "target": foreign, "amount": "1.00", "currency": "EUR"}
        assert merchant.order("/v1/charges", order).status_code == 404


@pytest.mark.parametrize(
    "id", ["1", "0", "x", "%27", "1%20OR%201=1", "{8}", "..%2f..", "00000000-0000-0000-0000-000000000000", "%00", "é"]
)
def test_n10_n52_guessed_ids(client: ApiUser, id: str) -> None:
    assert client.get(f"/v1/payments/{id}").status_code == 404
    assert client.get(f"/v1/wallets/{id}").status_code == 404


def test_an_id_has_one_spelling(client: ApiUser) -> None:
    client.wallet("1.00")
    [payment] = client.get("/v1/payments").get_json()["data"]
    for spelling in (payment["id"].upper(), payment["id"].replace("-", ""), f"{{{payment['id']}}}"):
        assert client.get(f"/v1/payments/{spelling}").status_code == 404


def test_n18_the_other_side_sees_neither_token_nor_balance(
    client: ApiUser, merchant: ApiUser, house: ApiHarness
) -> None:
    purse = client.wallet("50.00")
    till = merchant.wallet()
    order = {"wallet": purse, "amount": "10.00", "currency": "EUR", "metadata": {"note": "internal"}}
    id = merchant.order("/v1/charges", order).get_json()["id"]
    house.post_payments()
    by_merchant, by_client = (who.get(f"/v1/payments/{id}").get_json() for who in (merchant, client))
    assert by_client["target"] == {"wallet": None, "name": "Shop", "last4": till[-4:]}
    assert by_client["source"] == by_merchant["source"] == {"wallet": purse, "name": "Ann", "last4": purse[-4:]}
    assert (by_client["balance_after"], by_merchant["balance_after"]) == ("40.00", "10.00")
    assert (by_client["commission"], by_merchant["commission"]) == (None, "0.00")
    assert (by_client["metadata"], by_merchant["metadata"]) == (None, {"note": "internal"})
    operations = client.get(f"/v1/payments/{id}/operations").get_json()["data"]
    assert [row["balance_after"] for row in operations] == ["40.00", None]
    assert [row["account"]["wallet"] for row in operations] == [purse, None]


@pytest.mark.parametrize("role", ["ops", "auditor"])
def test_ops_and_auditor_read_all_but_no_token(house: ApiHarness, client: ApiUser, role: str) -> None:
    wallet = client.wallet("10.00")
    reader = house.person(role)
    [payment] = reader.get(f"/v1/payments?wallet={wallet}").get_json()["data"]
    assert payment["target"]["wallet"] is None
    assert reader.get(f"/v1/payments/{payment['id']}").status_code == 200
    assert reader.get(f"/v1/wallets/{wallet}").get_json()["balance"] == "10.00"
    assert len(reader.get(f"/v1/payments/{payment['id']}/operations").get_json()["data"]) == 2


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "bearer x", "Bearer null", "Token {}",
     "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer {}x", "Bearer x{}", "Bearer {} {}", "Bearer {}\x00",
     "Bearer {}, Bearer {}"],
)  # fmt: skip
def test_n15_n26_tokens_that_are_none(house: ApiHarness, client: ApiUser, header: str) -> None:
    headers = {"Authorization": header.replace("{}", client.token)} if header else {}
    answer = house.nobody().call("GET", "/v1/wallets", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="payments"')


def test_n26_a_truncated_or_edited_token(house: ApiHarness, client: ApiUser) -> None:
    edited = client.token[:10] + ("x" if client.token[10] != "x" else "y") + client.token[11:]
    for token in (client.token[:-1], edited, client.token.upper(), tokens.new()):
        answer = ApiUser(house, client.id, token).get("/v1/wallets")
        assert (answer.status_code, answer.get_json()["code"]) == (401, "token_invalid")


@pytest.mark.parametrize(
    ("fate", "status"),
    [
        ("UPDATE tokens SET revoked_at = now() WHERE user_id = %s", 401),
        ("UPDATE tokens SET expires_at = now() WHERE user_id = %s", 401),
        ("UPDATE users SET is_active = false WHERE id = %s", 403),
    ],
)
def test_n11_n26_n30_an_end_takes_effect_within_a_second(
    house: ApiHarness, client: ApiUser, fate: str, status: int
) -> None:
    assert client.get("/v1/wallets").status_code == 200
    house.execute(fate, client.id)
    eventually(lambda: client.get("/v1/wallets").status_code == status, seconds=CACHE_SECONDS + 0.5)


def test_n27_only_the_hash_is_stored(house: ApiHarness, client: ApiUser) -> None:
    [kept] = house.execute("SELECT encode(hash, 'hex') FROM tokens WHERE user_id = %s", client.id)
    assert kept == tokens.hash_of(client.token).hex()
    assert not house.execute("SELECT 1 FROM tokens t WHERE strpos(t::text, %s) > 0", client.token)


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "authorization"])
def test_n28_a_token_in_the_query_is_refused_and_not_logged(
    house: ApiHarness, client: ApiUser, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert house.nobody().get(f"/v1/wallets?{name}={client.token}").status_code == 401
    answer = client.get(f"/v1/currencies?{name}={client.token}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "unknown_parameter")
    assert client.token not in answer.get_data(as_text=True)
    assert client.token not in "".join(capfd.readouterr())


def test_a_token_with_scopes_of_its_own_has_no_others(house: ApiHarness) -> None:
    reader = house.person("client", scopes=["wallets:read"])
    assert reader.get("/v1/wallets").status_code == 200
    assert reader.get("/v1/payments").get_json()["code"] == "scope_missing"
    assert reader.call("POST", "/v1/wallets", json={"currency": "EUR"}).status_code == 403


def test_deposits_when_owners_may_not(fresh_database: Database) -> None:
    closed = ApiHarness(fresh_database, deposits_open=False)
    owner = closed.person()
    wallet = owner.wallet()
    order = {"wallet": wallet, "amount": "1.00", "currency": "EUR", "source": "wire"}
    with closed.unchanged():
        refused = owner.order("/v1/deposits", order)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "deposits_closed")
    provider = closed.person("merchant", scopes=["deposits:write", "payments:read"])
    for maker in (closed.person("ops"), provider):
        answer = maker.order("/v1/deposits", order)
        assert answer.status_code == 202
        assert answer.get_json()["target"]["wallet"] == wallet


def test_last_used_is_noted(house: ApiHarness, client: ApiUser) -> None:
    assert house.execute("SELECT last_used_at FROM tokens WHERE user_id = %s", client.id) == [None]
    client.get("/v1/wallets")
    assert house.execute("SELECT last_used_at IS NOT NULL FROM tokens WHERE user_id = %s", client.id) == [True]
