"""Helpers of the commands' tests."""

from collections.abc import Callable

from click.testing import Result

from models import audit
from models.session import transaction
from tests.workers.books import Books

Run = Callable[..., Result]


def audited(books: Books, target: str) -> list[tuple[object, ...]]:
    with transaction(books.worker) as connection:
        lines = audit.about(connection, target)
    return [(line["actor"], line["action"], line["reason"]) for line in lines]
