"""The pages of persons, accounts, approvals, the audit log and closings: as ops, as auditor, with hostile names."""

import csv
import io

import pytest

from gateway.pages.console import accounts, approvals, users
from gateway.pages.console.user_verbs import VERBS
from gateway.pages.curves import curve, sparkline
from models import ops_account, payment_count
from models.user import Role
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.adjustments import account_of
from tests.gateway.ops.adjustments import proposed as proposed_adjustment
from tests.gateway.ops.payouts import PAID, send, withdraw
from tests.gateway.pages.browsers import SESSION, Browser, Elements, alerts, signed_in, with_password

HOSTILE = '"><img src=x onerror=alert(1)>'
WHY = {"reason": HOSTILE}


@pytest.fixture(scope="module")
def olga(api: ApiHarness) -> ApiUser:
    return api.person("ops", "Olga")


@pytest.fixture(scope="module")
def console(api: ApiHarness, olga: ApiUser) -> Browser:
    return Browser(api, olga.token)


@pytest.fixture(scope="module")
def other(api: ApiHarness) -> Browser:
    """Another ops user's browser."""
    return Browser(api, api.person("ops", "Oscar").token)


@pytest.fixture
def person(api: ApiHarness) -> ApiUser:
    """A client with a hostile name, and 7.00 EUR of which 2.00 are held, a limit and a blocked merchant."""
    client, shop = api.person("client", HOSTILE), api.person("merchant", "Shop")
    wallet = client.wallet("7.00")
    shop.wallet()
    shop.charge(wallet, "2.00", capture=False, summary=HOSTILE)
    api.post_payments()
    limits = {"charge_limits": [{"merchant": None, "per_day": "5.00"}], "blocked_merchants": [shop.id]}
    assert client.call("PATCH", f"/v1/wallets/{wallet}", json=limits, headers={"If-Match": "*"}).status_code == 200
    return client


def test_the_lists_of_the_pages_are_those_of_the_api() -> None:
    assert set(users.ROLES) == set(Role)
    assert accounts.CODES == ops_account.CODES


def test_a_person_is_found_and_shown_with_all_that_is_theirs(console: Browser, person: ApiUser) -> None:
    listed = console.page(f"/console/users?email={person.id}@example.com&role=client")
    assert listed.all("a", href=f"/console/users/{person.id}")
    assert 'role="alert"' in console.get("/console/users?role=king", 422).text.partition("<main")[2]
    assert console.get(f"/console/search?q={person.id}", 303).location == f"/console/users/{person.id}"
    page = console.page(f"/console/users/{person.id}")
    text = " ".join(page.text.split())
    assert HOSTILE in text
    assert not page.all("img")
    for shown in ("7.00 EUR", "2.00 EUR", "5.00 EUR a day", "Balance in EUR from", "AUTHORIZED", "wallets.change"):
        assert shown in text, shown
    assert page.all("svg", role="img")
    assert page.all("a", href=f"/console/audit?target={person.id}")
    forms = {
        form["action"].rpartition("/")[2] for form in page.all("form", method="post") if "/users/" in form["action"]
    }
    assert forms == {"freeze", "end-api-keys", "deactivate", "reset-second-factor", "end"}


def test_verbs_of_a_person_are_carried_out_or_refused_with_the_reason(
    api: ApiHarness, console: Browser, olga: ApiUser, person: ApiUser
) -> None:
    path = f"/console/users/{person.id}"
    browser = signed_in(api, with_password(api, "client"))
    [guest] = browser.api.execute("SELECT user_id::text FROM tokens WHERE hash = sha256(%s)", browser.cookie(SESSION))
    theirs = f"/console/users/{guest}"
    [session] = api.execute("SELECT id::text FROM tokens WHERE user_id = %s AND kind = 'session'", guest)
    assert console.form(f"{theirs}/session/{session}/end", {"reason": ""}, theirs).status_code == 422
    assert console.form(f"{theirs}/session/{session}/end", WHY, theirs).location == f"{theirs}?done=end-sessions"
    browser.get("/app", 303)
    for name, shown in (
        ("freeze", "Frozen"),
        ("thaw", "Freeze"),
        ("deactivate", "inactive"),
        ("activate", "Deactivate"),
    ):
        answer = console.form(f"{path}/{name}", WHY, path)
        assert answer.location == f"{path}?done={name}", alerts(answer)
        page = console.get(answer.location)
        assert f"Done: {VERBS[name].label.lower()}" in alerts(page)
        assert shown in alerts(page)
    assert console.form(f"{path}/thaw", WHY, path).status_code == 409
    assert console.form(f"{path}/shout", WHY, path).status_code == 404
    assert person.get("/v1/me").status_code == 200
    console.form(f"{path}/end-api-keys", WHY, path)
    assert person.get("/v1/me").status_code == 401
    mine = f"/console/users/{olga.id}"
    assert not [form for form in console.page(mine).all("form") if (form["action"] or "").endswith("deactivate")]
    refused = console.form(f"{mine}/deactivate", WHY, mine)
    assert "own_user" in refused.text
    reasons = [entry["reason"] for entry in api.audit_log(person.id) if entry["actor"] == olga.id]
    assert reasons == [HOSTILE] * 5


def test_accounts_show_balances_movement_and_curve(api: ApiHarness, console: Browser, person: ApiUser) -> None:
    technical = console.get("/console/accounts?currency=EUR")
    assert "commission EUR" in alerts(technical)
    assert "Movement is the change since" in alerts(technical)
    wallets = console.get(f"/console/accounts?owner={person.id}&at=2001-01-01T00:00:00Z")
    assert "7.00 EUR 2.00 EUR 5.00 EUR 0.00 EUR 7.00 EUR" in alerts(wallets), "now, held, available, then, movement"
    assert "RFC 3339" in alerts(console.get("/console/accounts?at=yesterday", 422))
    id = account_of(api.person("auditor"), person)
    for days in ("", "?days=1", "?days=366", "?days=100000"):
        page = console.page(f"/console/accounts/{id}{days}")
        assert page.all("svg", role="img")[0]["aria-label"].endswith("now 7.00.")
    assert "7.00 EUR 7.00 EUR" in " ".join(page.text.split()), "the deposit and the balance after it"
    assert console.get(f"/console/accounts/{person.id}", 404)


def test_curves_go_in_steps_from_the_lowest_to_the_highest() -> None:
    points = [
        {"at": f"2026-01-0{day}T00:00:00+00:00", "balance": balance}
        for day, balance in enumerate(("-1.00", "-1.00", "3.00", "1.00"), 1)
    ]
    body = {"account": "x", "currency": "EUR", "points": points}
    drawn = sparkline(body)
    assert drawn.line == "M0.0 26.0H80.0V2.0H120.0V14.0H120.0"
    assert drawn.zero == "M0 20.0H120"
    assert [level.text for level in curve(body).levels] == ["−1.00", "3.00"]
    assert drawn.summary == "Balance in EUR from 01 Jan 00:00 to 04 Jan 00:00: −1.00 at least, 3.00 at most, now 1.00."
    flat = {**body, "points": [{**point, "balance": "5"} for point in points]}
    assert sparkline(flat).line == "M0.0 14.0H120.0"


def test_who_proposed_cannot_approve_and_another_can(
    api: ApiHarness, olga: ApiUser, console: Browser, other: Browser, person: ApiUser
) -> None:
    adjustment = proposed_adjustment(olga, person, reason=HOSTILE)
    payout = send(api, withdraw(api, person, person.get("/v1/wallets").get_json()["data"][0]["token"]), parks=True)
    resolution = olga.call("POST", f"/v1/ops/payments/{payout}/resolve", json=PAID).get_json()["id"]
    own, theirs = console.page("/console/approvals"), other.page("/console/approvals")
    assert HOSTILE in own.text
    assert not own.all("img")
    assert "You proposed it: another ops user has to approve it." in own.text
    paths = {
        kind: f"/console/approvals/{kind}/{id}"
        for kind, id in (("adjustments", adjustment), ("resolutions", resolution))
    }
    for path in paths.values():
        assert not own.all("form", action=f"{path}/approve")
        assert own.all("form", action=f"{path}/reject")
        assert theirs.all("form", action=f"{path}/approve")
        with api.unchanged():
            refused = console.form(f"{path}/approve", {}, "/console/approvals")
        assert refused.status_code == 409
        assert "Another ops user must approve it" in alerts(refused)
    done = other.form(f"{paths['adjustments']}/approve", WHY, "/console/approvals")
    assert done.location == "/console/approvals?done=approve"
    assert other.form(f"{paths['adjustments']}/reject", WHY, "/console/approvals").status_code == 409
    assert console.form(f"{paths['resolutions']}/reject", WHY, "/console/approvals").location.endswith("done=reject")
    all = alerts(console.get("/console/approvals?show=all"))
    assert "approved by" in all
    assert "rejected by" in all
    waiting = alerts(console.get("/console/approvals"))
    assert adjustment[-8:] not in waiting
    assert console.form("/console/approvals/wishes/1/approve", WHY, "/console/approvals").status_code == 404
    assert approvals.KINDS.keys() == paths.keys()


def test_the_list_of_payments_says_how_many_there_are(
    api: ApiHarness, console: Browser, olga: ApiUser, person: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = f"merchant={person.id}"

    def count(query: str) -> tuple[int, bool]:
        body = olga.get(f"/v1/ops/payments/count?{query}").get_json()
        return body["count"], body["is_exact"]

    assert count(theirs) == (2, True)
    for query in (
        "state=AUTHORIZED",
        "type=charge",
        "state=COMPLETED",
        "created_from=2001-01-01T00:00:00Z&type=deposit",
    ):
        assert count(f"{theirs}&{query}") == (1, True)
    assert count(f"{theirs}&created_before=2001-01-01T00:00:00Z") == (0, True)
    [user] = api.execute("SELECT user_id::text FROM payments WHERE id IN (SELECT max(id::text)::uuid FROM payments)")
    assert count(f"user={user}") == (1, True)
    for query in ("parked=true", "undecided=true", "stuck=0", "parked=true&error_contains=x"):
        listed = olga.get(f"/v1/ops/payments?limit=100&{query}").get_json()["data"]
        assert count(query) == (len(listed), True), query
    assert "Payments 2 " in alerts(console.get(f"/console/payments?{theirs}"))
    monkeypatch.setattr(payment_count, "SCANNED_MAX", 2)
    assert count(f"{theirs}&state=COMPLETED") == (1, False), "the newest of each side is looked at"
    assert "at least" in alerts(console.get(f"/console/payments?{theirs}&state=COMPLETED"))
    monkeypatch.setattr(payment_count, "COUNTED_MAX", 1)
    assert count(theirs) == (1, False)
    assert olga.get("/v1/ops/payments/count?limit=5").get_json()["code"] == "unknown_parameter"


def test_the_audit_log_is_filtered_in_the_url_and_downloaded(console: Browser, olga: ApiUser, person: ApiUser) -> None:
    for active in (False, True):
        olga.call("PATCH", f"/v1/ops/users/{person.id}", json={"is_active": active, **WHY})
    url = f"/console/audit?target={person.id}&action=users.activate&created_from=2001-01-01T00:00:00Z"
    page = console.page(url)
    assert len([tag for tag, attributes in page.tags if "data-row" in attributes]) == 1
    assert HOSTILE in page.text
    assert not page.all("img")
    assert len([link for link in page.all("a") if (link.get("aria-label") or "").startswith("Remove")]) == 3
    [file] = [link["href"] for link in page.all("a") if (link.get("href") or "").startswith("/console/audit.csv")]
    answer = console.get(file or "")
    assert answer.mimetype == "text/csv"
    assert "audit.csv" in answer.headers["Content-Disposition"]
    [row] = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert (row["action"], row["actor"], row["target"]) == ("users.activate", olga.id, person.id)
    assert console.get(file.replace(".csv", ".jsonl")).mimetype == "application/x-ndjson"
    assert console.get("/console/audit.xls", 404)
    assert console.get("/console/audit.csv?created_from=x", 422).mimetype == "text/html"


def test_a_month_is_closed_when_asked_for(console: Browser, api: ApiHarness, person: ApiUser) -> None:
    standing = alerts(console.get("/console/closing"))
    assert "Trial balance" not in standing
    [customers] = api.execute("SELECT sum(balance) FROM accounts WHERE owner_id IS NOT NULL AND currency = 'EUR'")
    assert f"customers 0.00 EUR {customers / 100:,.2f} EUR {customers / 100:,.2f} EUR" in standing
    [month] = api.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')")
    page = console.get(f"/console/closing?month={month}&timezone=Africa/Douala")
    text = alerts(page)
    assert "the month of Africa/Douala. It is not over" in text
    sums = text.partition("Sum in EUR")[2].split()[:8]
    opening, _, debits, _, credits, _, closing, _ = sums
    assert (opening, closing, debits) == ("0.00", "0.00", credits)
    assert "Open at the end Type" in text
    file = console.get(f"/console/closing.csv?month={month}")
    assert file.text.splitlines()[0].startswith("section,code,merchant")
    assert "time zone database" in alerts(console.get("/console/closing?month=2026-01&timezone=Moon", 422))
    assert console.get("/console/closing?month=13", 422)


def test_an_auditor_reads_these_pages_and_changes_nothing(api: ApiHarness, olga: ApiUser, person: ApiUser) -> None:
    auditor = Browser(api, api.person("auditor").token)
    adjustment, account = proposed_adjustment(olga, person), account_of(olga, person)
    read = ("users", f"users/{person.id}", "accounts", f"accounts/{account}", "approvals", "audit", "closing")
    for path in read:
        page = auditor.page(f"/console/{path}")
        posts = {form["action"] for form in page.all("form", method="post")}
        assert posts == {"/pages/times", "/sign-out"}, path
    with api.unchanged():
        for path in (
            *(f"/console/users/{person.id}/{name}" for name in VERBS if name != "thaw"),
            f"/console/users/{person.id}/session/{adjustment}/end",
            f"/console/approvals/adjustments/{adjustment}/approve",
            f"/console/approvals/adjustments/{adjustment}/reject",
        ):
            answer = auditor.form(path, WHY, "/console")
            assert answer.status_code == 403, path
            assert "scope_missing" in answer.text


def test_owner_is_invited_on_the_page_of_a_merchant_without_one(api: ApiHarness, console: Browser) -> None:
    shop = api.person("merchant")
    path = f"/console/users/{shop.id}"
    assert "Invite an owner" not in console.get(path).text
    api.execute("UPDATE users SET is_active = false WHERE id = %s", shop.id)
    refused = console.form(f"{path}/invite-owner", {"email": "no", **WHY}, path)
    assert [tag["name"] for _, tag in Elements(refused.text).tags if tag.get("aria-invalid")] == ["email"]
    done = console.form(f"{path}/invite-owner", {"email": "heir@example.com", **WHY}, path)
    assert done.location == f"{path}?done=invite-owner", alerts(done)
    page = console.page(path)
    assert not page.all("img")
    [form] = [form["action"] for form in page.all("form") if (form["action"] or "").endswith("/withdraw")]
    assert console.form(str(form), WHY, path).location == f"{path}?done=withdraw-owner"
    assert "not_found" in console.form(str(form), WHY, path).text
