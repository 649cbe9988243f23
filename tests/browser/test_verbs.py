"""Every verb of the pages is ordered by keyboard alone, as one who may, and does what it says."""

from importlib import import_module

import pytest

from tests.browser import every_verb
from tests.browser.conftest import Visits
from tests.browser.keys import REFUSED, Keys
from tests.browser.looks import DESKTOP
from tests.browser.scene import Scene
from tests.browser.walks import WALKS, Walk

for name in ("payments_of_ops", "desk_of_ops", "customers", "signing_in"):
    import_module(f"tests.browser.walks.{name}")


def test_every_verb_of_the_url_map_is_ordered_in_a_walk() -> None:
    ordered = {verb for walk in WALKS for verb in walk.verbs if REFUSED not in verb}
    assert ordered == every_verb.verbs()


@pytest.mark.parametrize(
    "walk", WALKS, ids=lambda walk: f"{walk.steps.__module__.rpartition('.')[2]}-{walk.steps.__name__}"
)
def test_verbs_are_ordered_by_keyboard_alone(visit: Visits, scene: Scene, walk: Walk) -> None:
    keys = Keys(
        visit(scene.tokens.get(walk.person, ""), viewport=DESKTOP, locale="en-US", reduced_motion="reduce").page
    )
    walk.steps(keys, scene)
    assert keys.ordered == walk.verbs
    assert keys.complaints == []
