"""What axe-core and the width of the window say of a page, in light and dark, at a desk and on a phone."""

from functools import cache

from playwright.sync_api import Page, ViewportSize

from tests.contract import node

DESKTOP, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=800)

LOOKS = ((DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "dark"), (PHONE, "light"))
"""Size and scheme."""

SERIOUS = ("serious", "critical")

PLACES, COLOURS = ["scrollable-region-focusable"], ["color-contrast", "link-in-text-block"]
"""The rules of axe that look at sizes and at colours; the others look at the document and at what is visible."""

OPEN = "() => document.querySelectorAll('details').forEach(d => { d.open = true; })"
IS_WIDER = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"

SHOWN = """() => {
    const all = [...document.querySelectorAll("body, body *")];
    const style = (s) => [s.color, s.backgroundColor, s.backgroundImage, s.opacity, s.fontSize, s.fontWeight];
    return [all.map((e) => +e.checkVisibility()).join(""), all.map((e) => style(getComputedStyle(e))).join()];
}"""
"""What is visible, and all that the contrast of colours follows from."""


def complaints(page: Page) -> list[str]:
    """What axe says of the page that is serious, with all details open; and where it is wider than its window.

    Each look is looked at by the rules of places, by those of colours if these are others than before, and by all
    rules if something else is visible.
    """
    page.evaluate(OPEN)
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(axe())
    found = [f"{page.url}: a table that does not scroll"] * page.locator("#main table:not(.scroll table)").count()
    seen = set[str]()
    for viewport, scheme in LOOKS:
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        visible, colours = page.evaluate(SHOWN)
        rules = PLACES if colours in seen else PLACES + COLOURS
        some = {"runOnly": rules} if visible in seen else {}
        seen |= {visible, colours}
        result = page.evaluate("options => axe.run(options)", {"resultTypes": ["violations"], **some})
        found += [
            f"{page.url} {scheme} {viewport['width']}: {violation['id']}: {item['html'][:160]}"
            for violation in result["violations"]
            if violation["impact"] in SERIOUS
            for item in violation["nodes"]
        ]
        if page.evaluate(IS_WIDER):
            found.append(f"{page.url}: wider than {viewport['width']}")
    return found


@cache
def axe() -> str:
    """The source of axe-core."""
    node.install()
    return (node.HERE / "node_modules" / "axe-core" / "axe.min.js").read_text()
