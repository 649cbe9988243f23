"""Every page of the URL map, by each who may see it: nothing serious for axe, no script of others, all without ours."""

import re

import pytest
from playwright.sync_api import Page

from tests.browser import every_page
from tests.browser.conftest import Visits
from tests.browser.looks import DESKTOP, axe, complaints
from tests.browser.scene import HOSTILE, Scene

PEOPLE = ("ops", "auditor", "merchant", "client", "")

MADE_BY_A_NAME = "img[src='x'], script:not([src])"

SHOWS_NAMES = 10
"""More pages than this show names and words of others, to each but who is not signed in."""

AGE = re.compile(r"\d+ (s|ms|min|h|d)\b")
"""What differs from one moment to the next."""

PARTS = "h1, h2, h3, th, dt, dd, a, summary, label, button:not([data-verb])"


@pytest.fixture(scope="module")
def paths(scene: Scene) -> dict[str, list[str]]:
    return every_page.paths(scene)


def test_every_page_is_somebodys(paths: dict[str, list[str]]) -> None:
    assert set(paths) == set(PEOPLE)
    assert sum(map(len, paths.values())) == len({(person, path) for person in paths for path in paths[person]})


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person or "nobody")
def test_every_page_pleases_axe_and_reads_without_scripts(
    visit: Visits, scene: Scene, paths: dict[str, list[str]], person: str
) -> None:
    """Without our policy, so that it is not what stops a script in a name."""
    token = scene.tokens.get(person, "")
    page = visit(token, viewport=DESKTOP, bypass_csp=True, reduced_motion="reduce").page
    page.add_init_script(axe())  # costs half of what sending it to each page does
    plain = visit(token, viewport=DESKTOP, java_script_enabled=False).page
    found, hostile = [], 0
    for path in paths[person]:
        page.set_viewport_size(DESKTOP)
        status = 404 if "unknown" in path else 200
        assert parts(page, path, status) - parts(plain, path, status) == set(), path
        hostile += HOSTILE in page.evaluate("document.body.textContent")
        assert page.locator(MADE_BY_A_NAME).count() == 0, path
        found += complaints(page)
    assert found == []
    assert hostile > SHOWS_NAMES or not person


def parts(page: Page, path: str, status: int) -> set[str]:
    """The words of the page that a reader finds: headings, names and values of facts, links, what opens and orders."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == status, (path, page.content()[:2000])
    shown = page.locator(PARTS).evaluate_all(
        "all => all.filter(e => e.checkVisibility() && !e.querySelector('time')).map(e => e.innerText.trim())"
    )
    return {text for text in shown if not AGE.search(text)}
