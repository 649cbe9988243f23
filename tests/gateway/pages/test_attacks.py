"""Attacks on every page and form of the URL map: forged and broken requests, and what belongs to others."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from gateway.pages import registration
from tests.gateway.harness import ApiHarness
from tests.gateway.pages.browsers import SESSION, Browser, alerts, signed_in, with_password
from tests.support import Database

UNKNOWN = "01a00000-0000-7000-8000-000000000000"
ARGUMENT = re.compile(r"<(?:\w+:)?\w+>")
NOT_A_URL = "http://["
URL_ENCODED = "application/x-www-form-urlencoded"

HOSTILE_ARGUMENTS = ("%00%0d%0aSet-Cookie:%20a=b", "..%2f..%2fme", "{0.__class__}%25s", "%F0%9F%92%A3%3Cb%3E")
HOSTILE_QUERIES = (
    f"path={NOT_A_URL}&q=%00&next={NOT_A_URL}&cursor=%F0%9F%92%A3&done=%0d%0aa:b&refresh=x&span=%E2%80%AE",
    "path=/v1/ops/commissions&currency=%00&state=x&type=x&stuck=x&created_at[lt]=x&created_from=x&direction=x",
)
HOSTILE_FORMS = (
    b"reason=\xff%ff&sealed=%C3%A9&next=http://[&name=%ED%A0%80&key=%0d%0aSet-Cookie:+a=b&ids=%00&all=?%ff&amount=1e9",
    b"&".join(b"f%d=1" % number for number in range(3_000)),
)
ROLES = {"console": "ops", "app_pages": "merchant", "second_factor_pages": "ops", "sign_in": "ops"}
"""Who attacks the pages of a blueprint."""


class Route(NamedTuple):
    """A rule of the URL map, with a path of an id that nothing has."""

    rule: Rule
    path: str

    @property
    def is_form(self) -> bool:
        """Whether it takes a POST."""
        return "POST" in (self.rule.methods or ())

    @property
    def is_page(self) -> bool:
        """Whether it can be read."""
        return "GET" in (self.rule.methods or ())


def routes(api: ApiHarness, *blueprints: str) -> list[Route]:
    names = set(blueprints) or {blueprint.name for blueprint in registration.BLUEPRINTS}
    return [
        Route(rule, ARGUMENT.sub(UNKNOWN, rule.rule))
        for rule in api.app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] in names
    ]


@pytest.fixture(scope="module")
def people(api: ApiHarness) -> dict[str, str]:
    """The ids of an ops user, an auditor and a merchant."""
    return {role: api.user(role) for role in ("ops", "auditor", "merchant")}


def browser_of(api: ApiHarness, user_id: str) -> Browser:
    """A browser with a new session of this user."""
    return Browser(api, api.token(user_id))


def test_no_form_takes_the_token_of_another_session_of_the_same_user(api: ApiHarness, people: dict[str, str]) -> None:
    for blueprint, role in ROLES.items():
        here, there = (browser_of(api, people[role]) for _ in range(2))
        another = there.csrf("/second-factor")
        with api.unchanged():
            for route in routes(api, blueprint):
                if route.is_form:
                    assert here.post(route.path, {"csrf": another, "reason": "x"}).status_code == 403, route.path


def test_an_auditor_changes_nothing_by_any_form(api: ApiHarness, people: dict[str, str]) -> None:
    auditor = browser_of(api, people["auditor"])
    csrf = auditor.csrf("/console")
    with api.unchanged():
        for route in routes(api, "console", "app_pages"):
            if route.is_form:
                assert auditor.post(route.path, {"csrf": csrf, "reason": "x"}).status_code in (403, 404, 422), route


def test_what_is_anothers_is_as_if_it_were_not_there(api: ApiHarness, people: dict[str, str]) -> None:
    shop, client = api.person("merchant"), api.person("client")
    wallet = client.wallet("50.00")
    shop.wallet()
    payment = shop.charge(wallet, "12.00")
    endpoint, _ = api.endpoint(shop.id)
    [session] = api.execute("SELECT id::text FROM tokens WHERE user_id = %s", shop.id)
    theirs = (payment, wallet, endpoint, session, shop.id)
    own, stranger = Browser(api, shop.token), browser_of(api, people["merchant"])
    csrf = stranger.csrf("/app")
    assert own.get(f"/app/payments/{payment}").status_code == 200
    with api.unchanged():
        for route in routes(api, "app_pages"):
            for id in theirs if UNKNOWN in route.path and "unknown" not in route.rule.endpoint else ():
                path = route.path.replace(UNKNOWN, id, 1)
                if route.is_page:
                    answer = stranger.get(path, 404)
                    assert id not in answer.text.replace(answer.request.path, "")
                if route.is_form:
                    assert stranger.post(path, {"csrf": csrf, "key": "k" * 16}).status_code in (403, 404, 422), path


def test_hostile_requests_are_refused_in_order(api: ApiHarness, people: dict[str, str]) -> None:
    """Never by an error of ours, and never with a header of theirs."""
    for blueprint, role in ROLES.items():
        browser = browser_of(api, people[role])
        csrf = browser.csrf("/second-factor").encode()
        for answer, what in attacks(browser, csrf, routes(api, blueprint)):
            assert answer.status_code < 500, (what, answer.text[-400:])
            assert answer.headers["X-Frame-Options"] == "DENY", what
            assert not [cookie for cookie in answer.headers.getlist("Set-Cookie") if "payments_" not in cookie], what


def attacks(browser: Browser, csrf: bytes, attacked: list[Route]) -> Iterator[tuple[TestResponse, str]]:
    for route in attacked:
        if route.is_page:
            paths = [route.path, *(ARGUMENT.sub(value, route.rule.rule) for value in HOSTILE_ARGUMENTS)]
            for path in paths if UNKNOWN in route.path else [route.path]:
                yield browser.client.get(f"{path}?{HOSTILE_QUERIES[0]}", headers={"Referer": NOT_A_URL}), path
            yield browser.client.get(f"{route.path}?{HOSTILE_QUERIES[1]}"), route.path
        if route.is_form:
            for form in HOSTILE_FORMS:
                data = b"csrf=" + csrf + b"&" + form
                yield browser.client.post(route.path, data=data, content_type=URL_ENCODED), route.path
            yield browser.client.post(route.path, data={"csrf": csrf}, headers={"Origin": NOT_A_URL}), route.path
            yield browser.client.post(route.path, data=b"--x\r\n\r\n", content_type="multipart/form-data"), route.path


@pytest.mark.parametrize("path", ["/sign-in", "/console/payments/selected"])
def test_a_form_is_bounded(api: ApiHarness, people: dict[str, str], path: str) -> None:
    browser = browser_of(api, people["ops"])
    assert browser.post(path, {"reason": "x" * 100_000}).status_code == 413
    assert browser.client.get(f"{path.replace('/selected', '')}?x=%ff").status_code == 400


def test_signing_out_is_not_claimed_when_it_failed(api: ApiHarness, database: Database) -> None:
    limited = ApiHarness(database, rate_limit_token="20 per day")
    browser = signed_in(limited, with_password(limited, "merchant"))
    csrf = browser.csrf("/app")
    while browser.client.get("/app").status_code != 429:
        pass
    answer = browser.post("/sign-out", {"csrf": csrf, "everywhere": "1"})
    assert answer.status_code == 429
    assert "rate_limited" in alerts(answer)
    assert browser.cookie(SESSION) is not None, "the session goes on, and so does its cookie"
