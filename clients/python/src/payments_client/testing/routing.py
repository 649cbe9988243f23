"""Which function of the fake answers an operation, and what it is handed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import httpx

from payments_client._routes import ROUTES
from payments_client.testing.people import Token, User

Body = dict[str, Any]
F = TypeVar("F", bound=Callable[..., httpx.Response])

HANDLERS: dict[str, Callable[..., httpx.Response]] = {}
"""By the id of the operation."""


class Asked(NamedTuple):
    """A request: which operation, by whom, with which body, query and headers."""

    id: str
    token: Token
    body: Body
    content: bytes
    query: httpx.QueryParams
    headers: httpx.Headers

    @property
    def user(self) -> User:
        return self.token.user

    def accepts(self, media_type: str) -> bool:
        """Whether this kind of answer is asked for."""
        return media_type in self.headers.get("Accept", "")


def answers(*ids: str) -> Callable[[F], F]:
    """Decorator: the function answers these operations, given the books, what is asked, and the places of the path."""

    def register(function: F) -> F:
        HANDLERS.update(dict.fromkeys(ids, function))
        return function

    return register


PATTERNS = [
    (route.method, re.compile(re.sub(r"\{\w+\}", "([^/]+)", route.path)), id)
    for id, route in sorted(ROUTES.items(), key=lambda entry: entry[1].path.count("{"))
]
"""Those without places first: `/sessions/current` is no session's id."""


def find(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    """The id of the operation, and the places of its path; raises NotImplementedError."""
    for known, pattern, id in PATTERNS:
        match = pattern.fullmatch(path)
        if match and known == method:
            return id, match.groups()
    raise NotImplementedError(f"the API has no {method} {path}")
