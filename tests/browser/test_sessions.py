"""Sessions in a browser: after signing out, in two tabs, sent twice, over their end, and on pages that stay open."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import subjects
from tests.browser.conftest import PASSWORD, Visit, Visits
from tests.browser.scene import Scene
from tests.browser.subjects import WHY
from tests.support import eventually

COOKIE = "payments_session"
SIGN_IN = "Sign in"

ENDS = {
    "idle": "last_used_at = now() - make_interval(mins => idle_minutes, secs => 1)",
    "absolute": "created_at = created_at - interval '2 days', expires_at = now() - interval '1 second'",
}
"""What is so when a session was not used for too long, and when it lasted too long."""


def sign_in(page: Page, scene: Scene, person: str, path: str) -> None:
    """Ask for a page, which is shown after signing in."""
    page.goto(path)
    page.fill("#email", scene.email(person))
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name=SIGN_IN).click()
    expect(page).to_have_url(f"{scene.url}{path}")


def session_of(visit: Visit) -> str:
    """The token of the window's session."""
    return next(cookie["value"] for cookie in visit.context.cookies() if cookie["name"] == COOKIE)


def is_over(scene: Scene, token: str) -> bool:
    """Whether the API refuses the token."""
    return scene.status(token) == 401


def asks_to_sign_in(page: Page) -> None:
    """The page is that of signing in, and shows no amount of anybody."""
    expect(page.get_by_role("heading", name=SIGN_IN)).to_be_visible()
    assert page.locator(".money").count() == 0


@pytest.mark.parametrize("button", ["Sign out", "Sign out everywhere"])
def test_going_back_after_signing_out_shows_no_money(visit: Visits, scene: Scene, button: str) -> None:
    page = visit().page
    wallet = f"/app/wallets/{scene.wallets['client']}"
    sign_in(page, scene, "client", "/app")
    page.goto(wallet)
    assert page.locator(".money").count() > 0
    page.locator("details.menu summary").click()
    page.get_by_role("button", name=button, exact=True).click()
    asks_to_sign_in(page)
    page.go_back()
    asks_to_sign_in(page)
    page.go_forward()
    asks_to_sign_in(page)


def test_a_form_of_who_was_signed_in_before_orders_nothing(visit: Visits, scene: Scene) -> None:
    """The other tab signed in as somebody else, who may refund too."""
    charge = scene.decided(scene.charged("7.00"))
    window = visit()
    first, second = window.page, window.context.new_page()
    sign_in(first, scene, "merchant", f"/app/payments/{charge}")
    second.goto("/sign-in")
    sign_in_here(second, scene, "client")
    first.get_by_text("Refund", exact=True).first.click()
    first.locator("form[action$='/refund'] > button").click()
    expect(first.get_by_role("heading", name="This form is out of date")).to_be_visible()
    assert scene.read("merchant", f"/v1/payments?parent={charge}")["data"] == []
    first.goto(f"/app/payments/{charge}")
    assert first.locator("form[action$='/refund']").count() == 0, "the client is who is signed in now"


def sign_in_here(page: Page, scene: Scene, person: str) -> None:
    page.fill("#email", scene.email(person))
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name=SIGN_IN).click()
    expect(page.get_by_role("heading", name="Wallets")).to_be_visible()


def refund(scene: Scene) -> tuple[str, str, str, Any]:
    id = scene.decided(scene.charged("7.00"))
    return (
        "merchant",
        f"/app/payments/{id}",
        "refund",
        lambda: scene.read("merchant", f"/v1/payments?parent={id}")["data"],
    )


def retry(scene: Scene) -> tuple[str, str, str, Any]:
    id = subjects.parked(scene)
    return "ops", f"/console/payments/{id}", "retry", lambda: scene.read("ops", f"/v1/ops/payments/{id}")["commands"]


def resolve(scene: Scene) -> tuple[str, str, str, Any]:
    id = subjects.payout(scene)
    return (
        "ops",
        f"/console/payments/{id}",
        "resolve",
        lambda: scene.read("ops", f"/v1/ops/payments/{id}")["resolutions"],
    )


TWICE = """form => Promise.all([1, 2].map(() =>
    fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" })))"""
"""As a browser that repeats a request, or two windows: Chromium itself sends a form once for a double click."""


@pytest.mark.parametrize("is_click", [True, False], ids=["double-click", "sent-twice"])
@pytest.mark.parametrize("verb", [refund, retry, resolve], ids=lambda verb: verb.__name__)
def test_a_form_that_is_sent_twice_orders_once(visit: Visits, scene: Scene, verb: Any, is_click: bool) -> None:
    person, path, name, made = verb(scene)
    page = visit(scene.tokens[person]).page
    page.goto(path)
    form = page.locator(f"form[action='{path}/{name}']")
    page.locator(f"details:has(> form[action='{path}/{name}']) > summary").click()
    if form.locator("textarea").count():
        form.locator("textarea").fill(WHY)
    if name == "resolve":
        form.locator("select").select_option("not_paid")
    if is_click:
        form.locator("> button").dblclick()
        expect(page.get_by_role("status")).to_contain_text("Ordered: ")
    else:
        form.evaluate(TWICE)
    assert len(eventually(made)) == 1


@pytest.mark.parametrize("end", ENDS)
def test_a_session_that_ended_asks_to_sign_in_and_goes_on(visit: Visits, scene: Scene, end: str) -> None:
    window = visit()
    page = window.page
    sign_in(page, scene, "client", "/app/access")
    token = session_of(window)
    scene.sql(f"UPDATE tokens SET {ENDS[end]} WHERE hash = sha256(%s::bytea)", token)
    eventually(lambda: is_over(scene, token))
    page.get_by_label("Sections").get_by_role("link", name="Payments").click()
    asks_to_sign_in(page)
    assert page.url.endswith("?next=%2Fapp%2Fpayments")
    page.fill("#email", scene.email("client"))
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name=SIGN_IN).click()
    expect(page.get_by_role("heading", name="Payments")).to_be_visible()


def shown_again(page: Page) -> None:
    """Return when the page's stream is open, and what happened before it is shown."""
    live = page.locator("#live")
    live.evaluate("element => element.dataset.old = 'yes'")
    expect(live).not_to_have_attribute("data-old", "yes")


@pytest.mark.parametrize(
    ("person", "path"),
    [
        ("client", "/app"),
        ("client", "/app/payments"),
        ("merchant", "/app/payments/{held}"),
        ("ops", "/console?refresh=5"),
    ],
)
def test_a_page_that_is_open_when_its_session_ends_is_gone(visit: Visits, scene: Scene, person: str, path: str) -> None:
    window = visit()
    sign_in(window.page, scene, person, path.format(held=scene.held[0]))
    assert window.page.locator(".money, .figure").count() > 0
    if "refresh" not in path:
        shown_again(window.page)
    scene.end_session(session_of(window))
    asks_to_sign_in(window.page)
