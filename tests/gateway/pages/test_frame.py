"""The frame of all pages: sign-in and out, sessions, form tokens, roles, errors, search; N70."""

import re

import pytest

from tests.gateway.harness import ApiHarness
from tests.gateway.identity.authenticator import enrolled
from tests.gateway.identity.signed_up_users import mailed
from tests.gateway.pages.browsers import PASSWORD, SESSION, VISIT, Browser, alerts, signed_in, with_password
from tests.support import Database


@pytest.fixture(scope="module")
def ops_email(api: ApiHarness) -> str:
    return with_password(api, "ops", '<b onmouseover="alert(1)">Olga</b>')


@pytest.fixture
def browser(api: ApiHarness) -> Browser:
    return Browser(api)


@pytest.fixture(scope="module")
def ops(api: ApiHarness) -> Browser:
    return Browser(api, api.person("ops", "Olga").token)


def test_without_a_session_a_page_leads_to_sign_in_and_back(api: ApiHarness, browser: Browser, ops_email: str) -> None:
    answer = browser.get("/console/search?q=abc", 303)
    assert answer.location == "/sign-in?next=%2Fconsole%2Fsearch%3Fq%3Dabc"
    page = browser.page(answer.location)
    assert page.all("input", name="next")[0]["value"] == "/console/search?q=abc"
    data = {"email": ops_email, "password": PASSWORD, "next": "/console/search?q=abc"}
    answer = browser.form("/sign-in", data)
    assert (answer.status_code, answer.location) == (303, "/console/search?q=abc")
    assert browser.get("/console", **{"HX-Request": "true"}).status_code == 200
    assert Browser(api).get("/console", 401, **{"HX-Request": "true"}).headers["HX-Redirect"]
    assert Browser(api).get("/app/events", 401, Accept="text/event-stream").data == b"", "a stream ends, without a page"


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "/console//x", "x"])
def test_sign_in_never_leads_to_another_site(api: ApiHarness, browser: Browser, elsewhere: str, ops_email: str) -> None:
    answer = browser.form("/sign-in", {"email": ops_email, "password": PASSWORD, "next": elsewhere})
    assert (answer.status_code, answer.location) == (303, "/console")


def test_the_cookie_of_a_session_is_out_of_reach_and_new_at_each_sign_in(api: ApiHarness, ops_email: str) -> None:
    browser = Browser(api, planted := api.person("ops").token)  # as an attacker would, who knows it
    browser.client.delete_cookie(SESSION)
    csrf = browser.csrf("/sign-in")
    browser.client.set_cookie(SESSION, planted)
    sent = {"email": ops_email, "password": PASSWORD, "csrf": csrf}
    answer = browser.post("/sign-in", sent)
    assert answer.status_code == 303
    first = browser.cookie(SESSION)
    assert first not in (None, planted)
    [line] = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith(SESSION)]
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(line.split("; "))
    assert browser.cookie(VISIT) is None
    signed_in(api, ops_email)
    browser.form("/sign-in", {"email": ops_email, "password": PASSWORD})
    second = browser.cookie(SESSION)
    assert second not in (first, None)
    old = Browser(api, first or "")
    assert old.get("/console", 303).location == "/sign-in?next=%2Fconsole", "the session before has ended"


def test_a_wrong_password_is_refused_as_the_api_refuses_it(browser: Browser, ops_email: str) -> None:
    answer = browser.form("/sign-in", {"email": ops_email, "password": "not the password"})
    assert answer.status_code == 401
    assert "credentials_invalid" in alerts(answer)
    assert "not the password" not in answer.text
    assert browser.cookie(SESSION) is None


def test_a_second_step_asks_for_the_code_and_keeps_the_password_sealed(api: ApiHarness, browser: Browser) -> None:
    factor = enrolled(api, "ops")
    answer = browser.form("/sign-in", {"email": factor.email, "password": PASSWORD})
    assert answer.status_code == 401
    assert PASSWORD not in answer.text
    page = Browser(api)
    [sealed] = [line for line in answer.text.splitlines() if 'name="sealed"' in line]
    value = sealed.split('value="')[1].split('"')[0]
    code = factor.code(1)
    assert page.form("/sign-in", {"sealed": value, "code": code}).status_code == 403, "of another browser"
    assert browser.form("/sign-in", {"sealed": value[::-1], "code": code}).status_code == 403
    assert browser.form("/sign-in", {"sealed": value, "code": "000000"}).status_code == 401
    assert browser.form("/sign-in", {"sealed": value, "code": code}).status_code == 303
    assert browser.cookie(SESSION) is not None


def test_each_page_needs_a_session_and_each_post_its_token(api: ApiHarness, ops: Browser) -> None:
    rules = [
        rule
        for rule in api.app.url_map.iter_rules()
        if rule.endpoint.startswith(("console.", "app_pages.", "second_factor_pages."))
    ]
    assert len(rules) > 4
    for rule in rules:
        path = re.sub(r"<(?:path:)?\w+>", "01a00000-0000-7000-8000-000000000000", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            anonymous = Browser(api).client.open(path, method=method)
            assert (anonymous.status_code, anonymous.location.partition("?")[0]) == (303, "/sign-in"), (method, path)
            if method == "POST":
                assert ops.post(path, {"reason": "none"}).status_code == 403, path
                if "GET" not in rule.methods:
                    with api.unchanged():
                        by_link = ops.client.get(f"{path}?reason=none&csrf={ops.csrf('/second-factor')}")
                    led_away = (303, "/console") if path.startswith("/app/") else None
                    assert by_link.status_code in (200, 404) or (by_link.status_code, by_link.location) == led_away, (
                        path
                    )


def test_n70_each_post_needs_the_token_of_its_own_session(api: ApiHarness, ops_email: str) -> None:
    ops, other = signed_in(api, ops_email), signed_in(api, ops_email)
    tokens = {"none": "", "another session's": other.csrf("/console"), "wrong": "0" * 64}
    for path in ("/sign-out", "/pages/times", "/console/unknown"):
        for what, token in tokens.items():
            assert ops.post(path, {"csrf": token}).status_code == 403, (path, what)
    right = ops.csrf("/console")
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        assert ops.post("/sign-out", {"csrf": right}, **headers).status_code == 403, headers
    assert Browser(api).post("/sign-in", {"email": ops_email, "password": PASSWORD}).status_code == 403
    assert ops.get("/sign-out", 405)
    assert ops.get("/console").status_code == 200, "nothing of this ended the session"


def test_signing_out_ends_the_session_and_everywhere_ends_all(api: ApiHarness, ops_email: str) -> None:
    here, there, third = (signed_in(api, ops_email) for _ in range(3))
    token = here.cookie(SESSION) or ""
    assert here.form("/sign-out", {}, "/console").location == "/sign-in"
    assert here.cookie(SESSION) is None
    assert Browser(api, token).get("/console", 303)
    there.form("/sign-out", {"everywhere": "1"}, "/console")
    assert third.get("/console", 303)


def test_a_session_ends_unused_and_at_its_latest(api: ApiHarness, ops_email: str) -> None:
    limits = "SELECT ARRAY[idle_minutes, extract(epoch FROM expires_at - created_at) / 60] FROM tokens"
    for change in (
        "last_used_at = now() - make_interval(mins => idle_minutes, secs => 1)",
        "expires_at = expires_at - interval '12 hours 1 second'",
    ):
        browser = signed_in(api, ops_email)
        browser.get("/console")
        token = browser.cookie(SESSION)
        assert api.execute(f"{limits} WHERE hash = sha256(%s::bytea)", token) == [[30, 12 * 60]]
        api.execute(f"UPDATE tokens SET {change} WHERE hash = sha256(%s::bytea)", token)
        api.app.extensions["gateway"].tokens.forget_all()
        browser.get("/console", 303)


def test_a_use_of_a_page_is_written_down_once_a_minute(api: ApiHarness, ops_email: str) -> None:
    browser = signed_in(api, ops_email)
    written = "SELECT xmin::text FROM tokens WHERE hash = sha256(%s::bytea)"
    browser.get("/console")
    before = api.execute(written, browser.cookie(SESSION))
    for _ in range(3):
        api.app.extensions["gateway"].tokens.forget_all()
        browser.get("/console")
    assert api.execute(written, browser.cookie(SESSION)) == before


@pytest.mark.parametrize(
    ("role", "path", "first_page"),
    [("merchant", "/console", "/app"), ("client", "/console/search", "/app"), ("ops", "/app", "/console")],
)
def test_each_role_has_pages_of_its_own(api: ApiHarness, role: str, path: str, first_page: str) -> None:
    browser = Browser(api, api.person(role).token)
    assert browser.get(path, 303).location == first_page
    assert browser.get(first_page).status_code == 200
    assert browser.form(f"{path}/unknown", {}, first_page).status_code == 403


def test_an_auditor_sees_the_console(api: ApiHarness) -> None:
    assert "auditor" in alerts(Browser(api, api.person("auditor").token).get("/console"))


def test_a_customer_sees_wallets(api: ApiHarness) -> None:
    client = api.person("client", "Ann")
    token = client.wallet("12345.60")
    page = Browser(api, client.token).get("/app")
    assert "12,345.60 EUR" in alerts(page)
    assert token in page.text


def test_pages_have_no_inline_script_or_style_and_escape_names(api: ApiHarness, ops_email: str) -> None:
    browser = signed_in(api, ops_email)
    for path in ("/console", "/console/search?q=<script>alert(1)</script>", "/sign-in"):
        page = browser.page(path)
        assert all("src" in script for script in page.all("script"))
        assert not page.all("style")
        assert not page.all("b", onmouseover="alert(1)")
        assert not [
            tag for tag, attributes in page.tags if "style" in attributes or any(n[:2] == "on" for n in attributes)
        ]
        for link in [*page.all("link", rel="stylesheet"), *page.all("script")]:
            answer = browser.client.get(link.get("href") or link["src"], buffered=True)
            assert answer.status_code == 200
            assert "max-age=31536000" in answer.headers["Cache-Control"]
    assert browser.get("/pages/pages.css%2f..", 404)
    assert browser.get("/pages/LICENSE", 404)


def test_a_session_that_asks_too_often_is_not_ended(api: ApiHarness, database: Database) -> None:
    limited = ApiHarness(database, rate_limit_token="20 per day")
    browser = Browser(limited, limited.person("ops").token)
    answers = [browser.client.get("/console") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert "rate_limited" in alerts(answers[-1])
    assert browser.cookie(SESSION) is not None


def test_a_password_is_set_by_mail(api: ApiHarness, browser: Browser) -> None:
    id = api.user("ops", "Newly Made")
    sent = browser.form("/sign-in/forgotten", {"email": f"{id}@example.com"})
    assert "a mail is on its way" in alerts(sent)
    assert "a mail is on its way" in alerts(browser.form("/sign-in/forgotten", {"email": "nobody@example.com"}))
    assert browser.form("/sign-in/forgotten", {"email": "nonsense"}).status_code == 422
    token = mailed(api, f"{id}@example.com")
    weak = browser.form("/sign-in/password", {"token": token, "password": "short"})
    assert weak.status_code == 422
    assert f'value="{token}"' in weak.text
    assert browser.post("/sign-in/password", {"token": token, "password": PASSWORD}).status_code == 403
    done = browser.form("/sign-in/password", {"token": f" {token} ", "password": PASSWORD})
    assert "The password is set" in alerts(done)
    assert signed_in(api, f"{id}@example.com").get("/console").status_code == 200


def test_errors_are_pages(api: ApiHarness, ops: Browser) -> None:
    for path in ("/console/nothing", "/console/api?path=/nowhere", "/console/api?path=//evil.example/v1/"):
        assert "There is no such page" in alerts(ops.get(path, 404))
    assert "not_found" in alerts(ops.get("/console/api?path=/v1/nothing"))
    assert api.anonymous().get("/v1/nothing").mimetype == "application/problem+json"


def test_search_opens_the_only_hit_and_lists_several(api: ApiHarness, ops: Browser) -> None:
    ann = api.person("client", "Ann <i>Ash</i>")
    answer = ops.get(f"/console/search?q={ann.id}", 303)
    assert answer.location == f"/console/users/{ann.id}"
    assert "Ann <i>Ash</i>" in alerts(ops.get(answer.location))
    twins = ["wal_0000000000000000000000TWIN", "wal_1111111111111111111111TWIN"]
    for token in twins:
        api.execute("UPDATE accounts SET token = %s WHERE token = %s", token, ann.wallet())
    listed = alerts(ops.get("/console/search?q=TWIN"))
    assert listed.count("ending in TWIN") == 2
    assert "Nothing has exactly this text" in alerts(ops.get("/console/search?q=nothing-like-it"))


def test_times_are_shown_as_chosen(ops: Browser) -> None:
    chosen = {"times": "relative", "back": "/console/search?q=x"}
    assert ops.form("/pages/times", chosen, "/console").location == "/console/search?q=x"
    assert ops.page("/console").all("button", value="relative")[0]["aria-pressed"] == "true"
    assert ops.form("/pages/times", {"times": "mine"}, "/console").status_code == 422


def test_a_red_bar_says_that_no_poster_is_alive(api: ApiHarness, ops: Browser) -> None:
    api.app.extensions.pop("status_bar", None)
    assert "No poster is alive" in alerts(ops.get("/console"))
    api.execute(
        "INSERT INTO worker_heartbeats (name, seen_at) VALUES ('posting@here', now())"
        " ON CONFLICT (name) DO UPDATE SET seen_at = now()"
    )
    api.app.extensions.pop("status_bar", None)
    answer = ops.get("/console")
    assert "No poster is alive" not in alerts(answer)
    assert "worker: fresh" in alerts(answer)
