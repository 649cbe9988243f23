"""Walks through the pages by keyboard that order every verb, as those who may."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from tests.browser.keys import Keys
from tests.browser.scene import Scene

Steps: TypeAlias = Callable[[Keys, Scene], None]


class Walk(NamedTuple):
    """The person who goes ("" is signed in by nobody), and the verbs that they order."""

    person: str
    verbs: frozenset[str]
    steps: Steps


WALKS: list[Walk] = []


def walk(person: str, *verbs: str) -> Callable[[Steps], Steps]:
    """Decorator: these steps order these verbs, and no others."""

    def decorator(steps: Steps) -> Steps:
        WALKS.append(Walk(person, frozenset(verbs), steps))
        return steps

    return decorator
