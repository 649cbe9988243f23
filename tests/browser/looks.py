"""What axe-core and the width of the window say of a page, in light and dark, at a desk and on a phone."""

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

from playwright.sync_api import Page, ViewportSize

from tests.contract import node

DESKTOP, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=800)

Look: TypeAlias = tuple[ViewportSize, str, Sequence[str] | None]

SERIOUS = ("serious", "critical")

COLOURS = ("color-contrast",)

LOOKS: Sequence[Look] = (
    (DESKTOP, "light", None),
    (DESKTOP, "dark", COLOURS),
    (PHONE, "light", COLOURS),
    (PHONE, "dark", None),
)
"""Size and scheme, and the rules of axe; None is all of them: no other rule looks at colours."""


def complaints(page: Page, looks: Sequence[Look] = LOOKS) -> list[str]:
    """What axe says of the page that is serious, with all details open; and where it is wider than its window."""
    page.evaluate("() => document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.evaluate(_axe())
    found = [f"{page.url}: a table that does not scroll"] * page.locator("#main table:not(.scroll table)").count()
    for viewport, scheme, rules in looks:
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
        result = page.evaluate("options => axe.run(document, options)", options)
        found += [
            f"{page.url} {scheme} {viewport['width']}: {violation['id']}: {item['html'][:160]}"
            for violation in result["violations"]
            if violation["impact"] in SERIOUS
            for item in violation["nodes"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"{page.url}: wider than {viewport['width']}")
    return found


@cache
def _axe() -> str:
    """The source of axe-core."""
    node.install()
    return (node.HERE / "node_modules" / "axe-core" / "axe.min.js").read_text()
