"""The pages of webhooks: endpoints, their secrets, deliveries with each try, and sending again."""

import re

from gateway.pages.app import webhooks
from models.event import NAMES
from models.webhook_delivery import DeliveryState
from models.webhook_endpoint import EVENT_TYPES
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.pages.browsers import Browser, Elements, alerts
from tests.gateway.webhooks.helpers import GIVEN_UP, URL, delivery

PATH = "/app/webhooks"
HOSTILE = '"><img src=x onerror=alert(1)>'
SECRET = re.compile(r'whole-id">(whsec_[\w+/=]+)<')
NEW = {"url": URL, "description": HOSTILE, "event_types": ["payment.completed", "payment.failed"]}


def etag_of(browser: Browser, path: str) -> str:
    return str(browser.page(path).all("input", name="etag")[0]["value"])


def created(browser: Browser) -> tuple[str, str]:
    """The path of the page of a new endpoint, and its secret."""
    answer = browser.form(PATH, NEW)
    assert answer.status_code == 200, answer.text
    [secret] = SECRET.findall(answer.text)
    [link] = [row["href"] for row in browser.page(PATH).all("a") if (row["href"] or "").startswith(f"{PATH}/")]
    return str(link), secret


def test_a_secret_is_shown_once_and_an_endpoint_changes_unless_it_was_changed(
    api: ApiHarness, merchant: ApiUser, stranger: ApiUser
) -> None:
    shop, zed = Browser(api, merchant.token), Browser(api, stranger.token)
    path, secret = created(shop)
    shown = shop.page(path)
    assert HOSTILE in shown.text
    assert not shown.all("img")
    rotated = shop.form(f"{path}/rotate", {"overlap_seconds": "3600"}, path)
    [second] = SECRET.findall(rotated.text)
    assert second != secret
    assert "whsec_" not in shop.get(path).text + shop.get(PATH).text, "neither is shown again"
    stale = etag_of(shop, path)
    disabled = shop.form(f"{path}/disable", {"etag": stale}, path)
    assert disabled.location == f"{path}?done=disable"
    with api.unchanged():
        refused = shop.form(path, {**NEW, "description": "mine", "etag": stale}, path)
        assert refused.status_code == 412
        assert "The resource has changed" in alerts(refused)
        assert 'value="mine"' not in refused.text, "the values of now are shown"
        assert zed.form(f"{path}/delete", {"etag": stale}, PATH).status_code == 404
        assert zed.form(path, NEW, PATH).status_code == 404
    changed = shop.form(path, {"url": URL, "event_types": ["*"], "etag": etag_of(shop, path)}, path)
    assert changed.location == f"{path}?done=change", changed.text
    endpoint = merchant.get(f"/v1/webhook-endpoints/{path.rpartition('/')[2]}").get_json()
    assert (endpoint["event_types"], endpoint["description"], endpoint["is_active"]) == (["*"], None, False)
    actions = {form["action"] for form in shop.page(path).all("form", method="post")}
    assert f"{path}/enable" in actions
    assert not {f"{path}/disable", f"{path}/test"} & actions
    assert shop.form(f"{path}/enable", {"etag": etag_of(shop, path)}, path).status_code == 303
    assert shop.form(f"{path}/test", {}, path).location == f"{path}?done=test"
    assert shop.form(f"{path}/delete", {"etag": etag_of(shop, path)}, path).location == PATH
    shop.get(path, 404)


def test_a_refused_endpoint_shows_each_error_at_its_field(api: ApiHarness, merchant: ApiUser) -> None:
    shop = Browser(api, merchant.token)
    with api.unchanged():
        refused = shop.form(PATH, {"url": "x" * 3000, "description": "y" * 300})
        inside = shop.form(PATH, {**NEW, "url": "https://127.0.0.1/"})
    assert (refused.status_code, inside.status_code) == (422, 422)
    elements = Elements(refused.text)
    invalid = [tag["name"] for _, tag in elements.tags if tag.get("aria-invalid") == "true"]
    assert invalid == ["url", "description"]
    focused = [tag["name"] for _, tag in elements.tags if "autofocus" in tag]
    assert focused == ["url"]
    for _, tag in elements.tags:
        for id in (tag.get("aria-describedby") or "").split():
            assert [one for _, one in elements.tags if one.get("id") == id], id
    assert elements.all("fieldset", **{"aria-describedby": "new-event_types-error"})


def test_deliveries_show_each_try_and_are_sent_again(api: ApiHarness, merchant: ApiUser, stranger: ApiUser) -> None:
    shop, zed = Browser(api, merchant.token), Browser(api, stranger.token)
    path, _ = created(shop)
    id = delivery(api, path.rpartition("/")[2], **GIVEN_UP)
    api.execute(
        "INSERT INTO webhook_attempts (delivery_id, attempt, status, error, milliseconds, answer)"
        " VALUES (%s, 10, 500, 'status', 12, %s)",
        id,
        HOSTILE.encode(),
    )
    page = f"{PATH}/deliveries/{id}"
    assert page in {link["href"] for link in shop.page(f"{path}?state=failed").all("a")}
    assert "No delivery matches" in alerts(shop.get(f"{path}?state=delivered"))
    shown = shop.page(page)
    assert HOSTILE in shown.text
    assert not shown.all("img")
    zed.get(page, 404)
    assert zed.form(f"{page}/redeliver", {}, PATH).status_code == 404
    assert shop.form(f"{page}/redeliver", {}, page).location == f"{page}?done=redeliver"
    assert "It is sent again" in alerts(shop.get(f"{page}?done=redeliver"))
    range = {"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z", "states": "failed"}
    refused = shop.form(f"{path}/redeliver", range, path)
    assert refused.status_code == 422
    assert "Must be after" in alerts(refused)
    again = shop.form(f"{path}/redeliver", {**range, "from": "2026-10-01T00:00:00Z"}, path)
    assert again.location == f"{path}?done=redeliver", again.text


def test_the_choices_are_those_of_the_api() -> None:
    assert set(webhooks.EVENT_TYPES) == set(EVENT_TYPES) >= set(NAMES)
    assert set(webhooks.STATES) == set(DeliveryState)
