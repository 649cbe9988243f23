"""The pages in a browser: by keyboard and without scripts, with hostile names, and how they are shown again."""

from playwright.sync_api import Route, expect

from tests.browser.conftest import PASSWORD, Visits
from tests.browser.looks import DESKTOP, PHONE
from tests.browser.scene import HOSTILE, Scene
from tests.support import eventually


def test_by_keyboard_from_sign_in_to_a_payment_and_a_verb(visit: Visits, scene: Scene) -> None:
    page = visit(viewport=DESKTOP).page
    page.goto("/console")
    expect(page.locator("#email")).to_be_focused()  # the browser does so at the first frame after loading
    page.keyboard.type(scene.email("ops"))
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    with page.expect_navigation():  # until scripts have run, which know what a slash is for
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type(scene.reference)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Charge of 100.00 EUR")).to_be_visible()
    assert page.url.endswith(f"/console/payments/{scene.charge}")
    page.goto(f"/console/payments?state=AUTHORIZED&merchant={scene.ids['merchant']}")
    for key in "jjkx":
        page.keyboard.press(key)
    expect(page.locator("[data-count]")).to_have_text("1")
    expect(page.locator("button[data-verb]:visible")).to_have_text(["Void …", "Fail …"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Charge of 12.50 EUR")).to_be_visible()
    page.get_by_text("Void", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("the customer asked")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Ordered: void")
    eventually(lambda: scene.state(page.url.partition("?")[0].rpartition("/")[2]) == "FAILED")


def test_without_scripts_pages_are_read_and_forms_work(visit: Visits, scene: Scene) -> None:
    page = visit(viewport=PHONE, java_script_enabled=False).page
    page.goto("/sign-in")
    page.fill("#email", scene.email("ops"))
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto(f"/console/payments/{scene.later}")
    expect(page.get_by_text("next try in")).to_be_visible()
    page.get_by_text("Cancel", exact=True).first.click()
    page.fill("#cancel-reason", "not wanted")
    page.locator("details[open] form").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_contain_text("Ordered: cancel")
    page.goto(f"/console/payments?merchant={scene.ids['merchant']}")
    page.get_by_text("Filters and columns").click()
    page.select_option("#filter-state", "FAILED")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_label("Remove the filter State")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Remove the filter State")).to_be_visible()
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.goto("/console")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_hostile_names_are_text_and_nothing_breaks_the_policy(visit: Visits, scene: Scene) -> None:
    page = visit(scene.tokens["ops"], viewport=DESKTOP).page
    for path in (
        f"/console/payments/{scene.failed}",
        f"/console/payments?merchant={scene.ids['merchant']}&columns=parties",
    ):
        page.goto(path)
        assert HOSTILE in page.locator("main").inner_text()
        assert page.locator("main img, main script").count() == 0
    page.goto("/app")  # an ops user has no wallets
    expect(page).to_have_url(f"{scene.url}/console")
    page = visit(scene.tokens["client"]).page
    page.goto("/app")
    expect(page.get_by_role("heading", name="Wallets")).to_be_visible()


def test_an_auditor_sees_pages_without_verbs(visit: Visits, scene: Scene) -> None:
    page = visit(scene.tokens["auditor"], viewport=DESKTOP).page
    page.goto(f"/console/payments/{scene.held[0]}")
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    assert page.locator(".verb, button[data-verb]").count() == 0


def test_times_and_the_refresh_are_as_chosen(visit: Visits, scene: Scene) -> None:
    page = visit(scene.tokens["ops"], viewport=DESKTOP, timezone_id="Asia/Tokyo").page
    page.goto(f"/console/payments/{scene.charge}?refresh=5")
    time = page.locator("header.card time").first
    utc = time.inner_text()
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Local").click()
    expect(time).not_to_have_text(utc)
    assert (int(time.inner_text()[11:13]) - int(utc[11:13])) % 24 == 9
    live = page.locator("#live")
    live.evaluate("element => element.dataset.old = 'yes'")
    expect(live).not_to_have_attribute("data-old", "yes", timeout=60_000)
    expect(time).not_to_have_text(utc)


def test_a_form_that_was_opened_meanwhile_is_not_replaced(visit: Visits, scene: Scene) -> None:
    """The answer to a refresh comes when the reader has begun to type."""
    page = visit(scene.tokens["ops"], viewport=DESKTOP).page
    page.goto(f"/console/payments/{scene.held[1]}")
    held = list[Route]()
    page.route(page.url, lambda route: held.append(route))  # noqa: PLW0108 - it has to be a function
    page.evaluate("showAgain()")
    page.get_by_text("Void", exact=True).first.click()
    page.keyboard.press("Tab")
    page.keyboard.type("the cust")
    with page.expect_event("requestfinished"):
        held[0].continue_()
    page.evaluate("new Promise(requestAnimationFrame)")  # what comes of an answer comes before the next frame
    page.keyboard.type("omer asked")
    assert page.locator("details.verb[open] textarea").input_value() == "the customer asked"


def test_a_list_and_a_payment_are_shown_again_when_something_happens(visit: Visits, scene: Scene) -> None:
    """The list asks for nothing by itself: its event stream tells."""
    shown = [visit(scene.tokens[person]).page for person in ("merchant", "client")]
    for page in shown:
        page.goto("/app/payments")
    id = scene.charged("1.25")
    for page in shown:
        row = page.locator("tr", has=page.locator(f"a[href='/app/payments/{id}']"))
        expect(row.locator(".badge")).to_have_text("COMPLETED")
