"""The pages in a browser: by keyboard, without scripts, in both colours and widths, with hostile names."""

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import PASSWORD, Visits
from tests.browser.scene import HOSTILE, Scene
from tests.contract import node
from tests.support import eventually

DESKTOP, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=800)

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    node.install()
    return (node.HERE / "node_modules" / "axe-core" / "axe.min.js").read_text()


def test_by_keyboard_from_sign_in_to_a_payment_and_a_verb(visit: Visits, scene: Scene) -> None:
    page = visit(viewport=DESKTOP).page
    page.goto("/console")
    page.keyboard.type(scene.ops_email)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type(scene.reference)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Charge of 100.00 EUR")).to_be_visible()
    assert page.url.endswith(f"/console/payments/{scene.charge}")
    page.goto(f"/console/payments?state=AUTHORIZED&merchant={scene.merchant_id}")
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
    page.fill("#email", scene.ops_email)
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto(f"/console/payments/{scene.later}")
    expect(page.get_by_text("next try in")).to_be_visible()
    page.get_by_text("Cancel", exact=True).first.click()
    page.fill("#cancel-reason", "not wanted")
    page.locator("details[open] form").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_contain_text("Ordered: cancel")
    page.goto(f"/console/payments?merchant={scene.merchant_id}")
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
        f"/console/payments?merchant={scene.merchant_id}&columns=parties",
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


def test_a_list_and_a_payment_are_shown_again_when_something_happens(visit: Visits, scene: Scene) -> None:
    """The list asks for nothing by itself: its event stream tells."""
    shown = [visit(scene.tokens[person]).page for person in ("merchant", "client")]
    for page in shown:
        page.goto("/app/payments")
    id = scene.charged("1.25")
    for page in shown:
        row = page.locator("tr", has=page.locator(f"a[href='/app/payments/{id}']"))
        expect(row.locator(".badge")).to_have_text("COMPLETED")


def pages_of(scene: Scene) -> list[str]:
    return [
        "/console",
        f"/console/payments?merchant={scene.merchant_id}",
        f"/console/payments/{scene.held[1]}",
        "/console/batches",
        "/console/bulks",
        "/console/rails",
        "/console/reconciliation",
        "/console/adjustments",
        "/console/webhooks",
        "/console/workers",
        "/console/search?q=nothing",
        "/second-factor",
        "/second-factor/prove",
        f"/console/api?path=/v1/ops/payments/{scene.charge}",
        "/console/users?role=client",
        f"/console/users/{scene.client_id}",
        "/console/accounts?code=wire&currency=EUR",
        f"/console/accounts/{scene.account}",
        "/console/approvals?show=all",
        "/console/audit?action=users.create",
        "/console/closing?month=2026-01&timezone=Europe/Berlin",
    ]


def app_pages_of(scene: Scene) -> dict[str, list[str]]:
    return {
        "merchant": [
            *("/app", "/app/payments?type=charge", f"/app/payments/{scene.held[1]}", "/app/charges/new"),
            *("/app/webhooks", f"/app/webhooks/{scene.endpoint}", "/app/closing", "/app/members"),
        ],
        "client": [
            f"/app/wallets/{scene.wallet}",
            f"/app/payments/{scene.charge}",
            "/app/transfers/new",
            *("/app/access", f"/app/wallets/{scene.wallet}/controls", "/app/profile"),
        ],
    }


def test_axe_finds_nothing_serious(visit: Visits, scene: Scene, axe: str) -> None:
    """In light and dark, wide and narrow: all rules in two of these, the contrast of colours in the others."""
    page = visit(scene.tokens["ops"], bypass_csp=True, reduced_motion="reduce").page
    found = [complaint for path in pages_of(scene) for complaint in complaints(page, path, axe)]
    assert found == []
    for person, paths in app_pages_of(scene).items():
        page = visit(scene.tokens[person], bypass_csp=True, reduced_motion="reduce").page
        assert [complaint for path in paths for complaint in complaints(page, path, axe)] == []
    page = visit(bypass_csp=True, reduced_motion="reduce").page
    for path in ("/sign-in", "/sign-in/forgotten", "/sign-in/password", "/sign-in/invitation"):
        assert complaints(page, path, axe) == []


LOOKS = (
    (DESKTOP, "light", None),
    (DESKTOP, "dark", ["color-contrast"]),
    (PHONE, "light", ["color-contrast"]),
    (PHONE, "dark", None),
)
"""Size and scheme, and the rules of axe; None is all of them."""


def complaints(page: Page, path: str, axe: str) -> list[str]:
    """What axe says of a page that is serious, with all details open; and whether the page is wider than its window."""
    page.goto(path)
    page.evaluate("() => document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.evaluate(axe)
    found = []
    for viewport, scheme, rules in LOOKS:
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
        result = page.evaluate("options => axe.run(document, options)", options)
        found += [
            f"{path} {scheme} {viewport['width']}: {violation['id']}: {item['html'][:160]}"
            for violation in result["violations"]
            if violation["impact"] in SERIOUS
            for item in violation["nodes"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"{path}: wider than {viewport['width']}")
    return found
