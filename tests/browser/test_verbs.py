"""Every verb of the pages is ordered by keyboard alone, as one who may, and does what it says."""

from collections.abc import Callable, Iterator
from importlib import import_module

import pytest
from playwright.sync_api import Browser

from embedded.stack import Stack
from tests.browser import every_verb
from tests.browser.conftest import Visit, Visits
from tests.browser.keys import REFUSED, Keys
from tests.browser.looks import DESKTOP
from tests.browser.scene import Scene
from tests.browser.walks import WALKS, Walk

for name in ("payments_of_ops", "desk_of_ops", "customers", "signing_in"):
    import_module(f"tests.browser.walks.{name}")


def test_every_verb_of_the_url_map_is_ordered_in_a_walk() -> None:
    ordered = {verb for walk in WALKS for verb in walk.verbs if REFUSED not in verb}
    assert ordered == every_verb.verbs()


@pytest.fixture(scope="module")
def visit_of(chrome: Browser, stack: Stack, scene: Scene) -> Iterator[Callable[[str], Visit]]:
    """A window of each person for all of their walks, since a new one costs a process; a stranger's is always new."""
    visits, known = Visits(chrome, stack), dict[str, Visit]()

    def visit(person: str) -> Visit:
        if not person or person not in known:
            known[person] = visits(
                scene.tokens.get(person, ""), viewport=DESKTOP, locale="en-US", reduced_motion="reduce"
            )
        return known[person]

    yield visit
    visits.close()


@pytest.mark.parametrize(
    "walk", WALKS, ids=lambda walk: f"{walk.steps.__module__.rpartition('.')[2]}-{walk.steps.__name__}"
)
def test_verbs_are_ordered_by_keyboard_alone(visit_of: Callable[[str], Visit], scene: Scene, walk: Walk) -> None:
    visit = visit_of(walk.person)
    with Keys(visit.page) as keys:
        walk.steps(keys, scene)
    assert keys.ordered == walk.verbs
    assert keys.complaints == []
    assert visit.complaints == []
