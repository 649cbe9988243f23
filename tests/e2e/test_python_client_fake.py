"""FakePayments answers as the running stack does."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from payments_client._routes import ROUTES
from payments_client.testing import FAILURES
from payments_client.testing.routing import HANDLERS

from embedded.home import CHECKOUT
from embedded.stack import Stack
from models.rules.failure_codes import MESSAGES
from tests.clients.python import scenario, scenario_people, scenario_products
from tests.clients.python.people import People, of_fake, of_stack
from tests.clients.python.scenario import Told

MODULES = (scenario, scenario_products, scenario_people)
PARTS: dict[str, Callable[[People, Told], None]] = {
    name: part
    for module in MODULES
    for name, part in vars(module).items()
    if callable(part) and getattr(part, "__module__", "") == module.__name__
    if getattr(part, "__annotations__", {}).keys() == {"people", "told", "return"} and name != "charged"
}
"""In their order: later ones go on with what earlier ones have made."""


@pytest.fixture(scope="module")
def commission_percent() -> int:
    return 2


def told_by(people: People) -> dict[str, list[Any]]:
    """All answers, by the part of the story."""
    found = {}
    for name, part in PARTS.items():
        told = Told()
        part(people, told)
        found[name] = told.answers
    return found


@pytest.fixture(scope="module")
def answers(stack: Stack) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    with of_stack(stack) as people, of_fake(url=people.receiver) as faked:
        return told_by(people), told_by(faked)


@pytest.mark.parametrize("part", PARTS)
def test_the_fake_answers_as_the_stack(answers: tuple[dict[str, list[Any]], dict[str, list[Any]]], part: str) -> None:
    real, faked = (told[part] for told in answers)
    for number, (one, other) in enumerate(zip(real, faked, strict=True)):
        assert one == other, f"answer {number}: {one} of the stack, {other} of the fake"


def test_the_fake_knows_every_failure() -> None:
    assert {code: (MESSAGES[code], code.is_retryable) for code in MESSAGES} == FAILURES


def test_the_guide_says_what_the_fake_leaves_out() -> None:
    left_out = {id for id, route in ROUTES.items() if id not in HANDLERS and not route.path.startswith("/v1/ops/")}
    guide = (CHECKOUT / "docs" / "guides" / "client.md").read_text()
    [paragraph] = re.findall(r"^It leaves out.+?\n\n", guide, re.M | re.S)
    named = {word for word in paragraph.split("`") if word in ROUTES}
    assert named == left_out
