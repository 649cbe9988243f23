"""The caller of a request: the network address behind proxies, and what is audited of it; unconfirmed users."""

from ipaddress import ip_network

import pytest

from gateway.auth.guards import actor, authenticate
from gateway.auth.scopes import SCOPES
from gateway.auth.tokens import may_grant
from gateway.http.access_log import ADDRESS, CALLER, NETWORK, REQUEST_ID
from gateway.http.edge import client_address as client_of
from gateway.http.edge import is_utf8
from models.audit import Actor
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import CANONICAL, deposit_into
from tests.support import Database

PROXIES = [ip_network(network) for network in ("10.0.0.0/8", "192.0.2.1", "fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address", "network"),
    [
        ("198.51.100.7", "", "198.51.100.7", "198.51.100.7"),
        ("198.51.100.7", "1.1.1.1", "198.51.100.7", "198.51.100.7"),  # not from a proxy of ours
        ("10.0.0.1", "", "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9, 1.1.1.1", "1.1.1.1", "1.1.1.1"),  # the first was made up by the client
        ("10.0.0.1", "9.9.9.9,1.1.1.1 , 10.2.3.4,192.0.2.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "1.1.1.1, unknown", "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, unknown, 10.0.0.2", "10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "1.1.1.1:80", "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1,", "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "01.1.1.1", "10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:1.1.1.1", "1.1.1.1", "1.1.1.1"),
        ("fd00::1", "2001:db8:1:2:3::4", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:DB8:0:0::1", "", "2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "", "fe80::1", "fe80::/64"),
        ("", "1.1.1.1", None, "unknown"),
    ],
)  # fmt: skip
def test_n72_client_address_behind_proxies(peer: str, forwarded: str, address: str | None, network: str) -> None:
    assert client_of(PROXIES, peer, forwarded) == (address, network)


SPOOFS = [
    {"X-Forwarded-For": "203.0.113.{}"}, {"Forwarded": "for=203.0.113.{}"}, {"X-Real-IP": "203.0.113.{}"},
    {"X-Client-IP": "203.0.113.{}"}, {"True-Client-IP": "203.0.113.{}"}, {"x-forwarded-for": "::{}"},
]  # fmt: skip


@pytest.mark.parametrize("spoof", SPOOFS)
@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8",)])
def test_n72_no_header_of_the_client_dodges_the_limit(
    database: Database, spoof: dict[str, str], trusted: tuple[str, ...]
) -> None:
    api = ApiHarness(database, rate_limit_address="4 per day", trusted_proxies=trusted)
    anonymous = api.anonymous()
    headers = [{name: value.format(number) for name, value in spoof.items()} for number in range(6)]
    paths = ("/health/live", "/HEALTH/live", "/health//live", "/health/live/", "/health/live", "/health/live")
    statuses = [
        anonymous.call("GET", path, headers=sent).status_code for path, sent in zip(paths, headers, strict=True)
    ]
    assert statuses == [200, 404, 404, 404, 429, 429]


def test_n72_clients_behind_one_proxy_are_counted_apart(database: Database) -> None:
    api = ApiHarness(database, rate_limit_address="2 per day", trusted_proxies=("127.0.0.1",))
    anonymous = api.anonymous()
    for client in ("198.51.100.1", "2001:db8::1"):
        sent = [anonymous.get("/health/live", **{"X-Forwarded-For": f"9.9.9.{n}, {client}"}) for n in range(3)]
        assert [answer.status_code for answer in sent] == [200, 200, 429]
    assert anonymous.get("/health/live", **{"X-Forwarded-For": "2001:db8::ffff"}).status_code == 429
    assert anonymous.get("/health/live", **{"X-Forwarded-For": "2001:db8:0:1::1"}).status_code == 200


@pytest.fixture
def strict(database: Database) -> ApiHarness:
    return ApiHarness(database, require_confirmation=True)


def unconfirm(api: ApiHarness, person: ApiUser) -> None:
    """As if the person had signed up just now."""
    api.execute("ALTER TABLE users DISABLE TRIGGER USER")
    api.execute("UPDATE users SET email_confirmed_at = NULL WHERE id = %s", person.id)
    api.execute("ALTER TABLE users ENABLE TRIGGER USER")
    api.app.extensions["gateway"].tokens.forget(person.id)


@pytest.mark.parametrize("role", ["client", "merchant"])
@pytest.mark.parametrize("odd", [{}, CANONICAL])
def test_unconfirmed_user_opens_wallets_but_moves_no_money(strict: ApiHarness, role: str, odd: dict[str, str]) -> None:
    person = strict.person(role)
    unconfirm(strict, person)
    wallet = person.wallet()
    assert person.get("/v1/wallets", **odd).status_code == 200
    assert person.get("/v1/payments", **odd).status_code == 200
    order = {"source": wallet, "target": "wal_" + "b" * 32, "amount": "1.00", "currency": "EUR"}
    charge = {"wallet": "wal_" + "b" * 32, "amount": "1.00", "currency": "EUR"}
    with strict.unchanged():
        answers = [
            person.order("/v1/deposits", deposit_into(wallet), **odd),
            person.order("/v1/transfers", order, **odd),
            person.order("/v1/charges", charge, **odd),
        ]
    codes = [(answer.status_code, answer.get_json()["code"]) for answer in answers]
    never = (403, "scope_missing" if role == "client" else "email_unconfirmed")
    assert codes == [(403, "email_unconfirmed"), (403, "email_unconfirmed"), never]
    strict.execute("UPDATE users SET email_confirmed_at = now() WHERE id = %s", person.id)
    strict.app.extensions["gateway"].tokens.forget(person.id)
    assert person.order("/v1/deposits", deposit_into(wallet), **odd).status_code == 202


def test_confirmation_may_be_waived(database: Database) -> None:
    easy = ApiHarness(database, require_confirmation=False)
    person = easy.person()
    unconfirm(easy, person)
    assert person.order("/v1/deposits", deposit_into(person.wallet())).status_code == 202


def test_a_narrow_token_grants_nothing_wider(strict: ApiHarness) -> None:
    services = strict.app.extensions["gateway"]

    def grants(person: ApiUser) -> frozenset[str]:
        environ = {"HTTP_AUTHORIZATION": f"Bearer {person.token}", NETWORK: "192.0.2.9"}
        return may_grant(authenticate(environ, services))

    assert grants(strict.person("client")) == SCOPES["client"]
    assert grants(strict.person("client", scopes=["me:read", "ops:read"])) == {"me:read"}
    newcomer = strict.person("merchant")
    unconfirm(strict, newcomer)
    assert grants(newcomer) == SCOPES["merchant"]


def test_the_auditor_changes_nothing_of_others() -> None:
    assert {scope for scope in SCOPES["auditor"] if not scope.endswith((":read", ":read-all"))} == {
        "me:write", "sessions:write", "api-keys:write", "second-factor:write", "ops:views",
    }  # fmt: skip


def test_actor_of_a_request(api: ApiHarness) -> None:
    person = api.person()
    environ = {ADDRESS: "192.0.2.9", NETWORK: "192.0.2.9", REQUEST_ID: "request-1"}
    with api.app.test_request_context("/", environ_overrides=environ):
        assert actor("who signed up") == Actor("who signed up", None, "192.0.2.9", "request-1")
        assert actor() == Actor("nobody", None, "192.0.2.9", "request-1")
    token_id = api.execute("SELECT id::text FROM tokens WHERE user_id = %s", person.id)[0]
    seen: list[Actor] = []
    api.app.after_request_funcs.setdefault(None, []).append(lambda answer: seen.append(actor("x")) or answer)
    try:
        person.get("/v1/wallets", **{"Request-Id": "request-22"})
    finally:
        api.app.after_request_funcs[None].pop()
    assert seen[0] == Actor(person.id, token_id, "127.0.0.1", "request-22")


def test_a_token_is_looked_up_once_a_request(api: ApiHarness) -> None:
    person = api.person()
    services = api.app.extensions["gateway"]
    environ = {"HTTP_AUTHORIZATION": f"Bearer {person.token}", NETWORK: "192.0.2.9"}
    caller = authenticate(environ, services)
    assert environ[CALLER] is authenticate(environ, services) is caller


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/ops/search?q=%ff"), ("GET", "/v1/payments?%C3%28=1"),
     ("POST", "/v1/transfers?%80"), ("GET", "/health/live?x=%ed%a0%80"), ("GET", "/nowhere?%fe")],
)  # fmt: skip
def test_query_that_is_not_utf8_is_refused(api: ApiHarness, method: str, path: str) -> None:
    where, _, query = path.partition("?")
    answer = api.person("ops").call(method, where, query_string=query)
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (400, "bad_request")
    assert body["detail"] == "The query string is not percent-encoded UTF-8."


def test_query_may_be_any_utf8(api: ApiHarness) -> None:
    ops = api.person("ops")
    for text in ("%C3%A9", "%EF%BF%BD", "100%", "%zz"):
        assert ops.call("GET", "/v1/ops/search", query_string=f"q={text}").status_code == 200, text
    as_bytes = {"q=\xc3\xa9": True, "q=\xff": False, "q=\xc3%A9": True, "": True}
    assert {query: is_utf8(query) for query in as_bytes} == as_bytes
