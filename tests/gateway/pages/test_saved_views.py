"""Saved views in the console: saved on a list, shown as links on it, renamed, shared and deleted on their page."""

from urllib.parse import parse_qs, urlsplit

import pytest

from models.rules.saved_views import LISTS
from tests.gateway.harness import ApiHarness
from tests.gateway.pages.browsers import Browser, alerts

HOSTILE = '"><img src=x onerror=alert(1)>'
QUERIES = {
    **{"payments": "state=FAILED&columns=amount%2Creason", "users": "role=client", "accounts": "show=wallets"},
    **{"audit": "action=payments.note", "webhooks": "state=failing", "bulks": "kind=charges"},
    **{"adjustments": "state=proposed"},
}


def save(browser: Browser, list: str, name: str, query: str, **fields: str):
    return browser.form("/console/views", {"list": list, "name": name, "query": query, **fields})


def verbs_of(browser: Browser, id: str) -> set[str]:
    page = browser.page("/console/views")
    actions = [form["action"] or "" for form in page.all("form", method="post")]
    return {action.rpartition("/")[2] for action in actions if f"/{id}/" in action}


@pytest.mark.parametrize("list", LISTS)
def test_list_offers_to_save_what_it_shows_and_links_to_it(ops: Browser, list: str) -> None:
    path, query = f"/console/{list}", QUERIES[list]
    assert not ops.page(path).all("input", name="query"), "nothing to save"
    [hidden] = ops.page(f"{path}?{query}&refresh=5").all("input", name="query")
    assert hidden["value"] == query
    answer = save(ops, list, HOSTILE, query)
    assert (answer.status_code, answer.location) == (303, f"{path}?{query}")
    page = ops.page(answer.location)
    assert page.all("a", href=answer.location, **{"aria-current": "true"})
    assert HOSTILE in page.text
    assert not page.all("img")
    links = ops.page(path).all("a", href=answer.location)
    assert links
    assert not [link for link in links if "aria-current" in link]


def test_views_are_renamed_shared_and_deleted_on_their_page(api: ApiHarness, ops: Browser) -> None:
    save(ops, "payments", "Parked", "parked=true")
    [id] = api.execute("SELECT id::text FROM saved_views WHERE name = 'Parked'")
    act = lambda verb, **form: ops.form(f"/console/views/{id}/{verb}", form, "/console/views")  # noqa: E731
    assert verbs_of(ops, id) == {"rename", "share", "delete"}
    assert act("rename", name=f"{HOSTILE} 2").location == "/console/views"
    assert act("share").status_code == 303
    assert verbs_of(ops, id) == {"rename", "unshare", "delete"}
    other = Browser(api, api.person("ops", "Oscar").token)
    assert f"{HOSTILE} 2" in other.page("/console/payments").text
    assert verbs_of(other, id) == set()
    refused = other.form(f"/console/views/{id}/delete", {}, "/console/views")
    assert refused.status_code == 404
    assert act("unshare").status_code == 303
    assert f"{HOSTILE} 2" not in other.page("/console/payments").text
    assert act("rename", name="").status_code == 422
    assert act("nothing").status_code == 404
    assert act("delete").location == "/console/views"
    assert api.execute("SELECT id::text FROM saved_views WHERE id = %s", id) == []


def test_refused_view_is_shown_with_the_reason_and_its_form(ops: Browser) -> None:
    save(ops, "payments", "Twice", "state=FAILED")
    answer = save(ops, "payments", "twice", "state=COMPLETED", shared="1")
    assert answer.status_code == 409
    assert "duplicate_view" in alerts(answer)
    assert 'value="state=COMPLETED"' in answer.text
    for query in ("next=//evil.example", "state=%0d%0aSet-Cookie:a=b", "state=LOST", ""):
        refused = save(ops, "payments", "New", query)
        assert refused.status_code == 422, query
        assert "Set-Cookie" not in refused.headers
    assert save(ops, "../../sign-out", "New", "state=FAILED").status_code == 422


def test_auditor_keeps_views_and_shares_none(api: ApiHarness, ops: Browser, auditor: Browser) -> None:
    saved = save(auditor, "audit", "Mine", "action=payments.note")
    assert parse_qs(urlsplit(saved.location).query) == {"action": ["payments.note"]}
    [id] = api.execute("SELECT id::text FROM saved_views WHERE name = 'Mine'")
    assert verbs_of(auditor, id) == {"rename", "delete"}
    assert not auditor.page("/console/audit?action=x").all("input", name="shared")
    assert "Mine" not in ops.page("/console/audit").text
    with api.unchanged():
        assert auditor.form(f"/console/views/{id}/share", {}, "/console/views").status_code == 403
        assert save(auditor, "audit", "All", "action=x", shared="1").status_code == 403
    assert auditor.form(f"/console/views/{id}/delete", {}, "/console/views").status_code == 303
