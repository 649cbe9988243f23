"""What docs/pages.md leads a newcomer to: a payment that waits, why it does, and how it goes on, by pages alone."""

from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Visits
from tests.browser.looks import DESKTOP
from tests.browser.scene import Scene
from tests.browser.subjects import WHY
from tests.support import eventually

RAILS, PAUSES = "/console/rails", "/console/rails/pauses"


def test_a_newcomer_finds_why_a_payment_waits_and_helps(visit: Visits, scene: Scene) -> None:
    page = visit(viewport=DESKTOP).page
    page.goto("/sign-in")
    page.fill("#email", scene.email("ops"))
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Sections").get_by_role("link", name="Rails").click()
    form = page.locator(f"form[action='{PAUSES}']")
    page.locator("details.verb", has=form).locator("> summary").click()
    form.locator("[name=scope]").select_option("merchant")
    form.locator("[name=name]").fill(scene.ids["merchant"])
    form.locator("[name=reason]").fill(WHY)
    form.locator("> button").click()
    expect(page.get_by_role("status")).to_contain_text("It is paused.")

    charge = scene.charged("8.00")
    eventually(lambda: scene.read("ops", f"/v1/payments/{charge}")["paused"])
    page.get_by_label("Sections").get_by_role("link", name="Payments").click()
    page.locator(f"a[href='/console/payments/{charge}']").first.click()
    expect(page.locator("header.card")).to_contain_text(f"Ops have paused it, until ops resume it: {WHY} Resume it.")

    page.get_by_label("Sections").get_by_role("link", name="Rails").click()
    row = page.locator("tr[data-row]", has_text=WHY)
    row.locator("details.verb > summary").click()
    row.locator("[name=reason]").fill(WHY)
    row.locator("form > button").click()
    expect(page.get_by_role("status")).to_contain_text("It is resumed.")
    eventually(lambda: scene.state(charge) == "COMPLETED")
    page.goto(f"/console/payments/{charge}")
    expect(page.locator("header.card .badge").first).to_have_text("COMPLETED")
