"""Refusals of the fake, as problems of RFC 9457."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import httpx

Flaw = tuple[str, str]
"""Where an invalid value stands, and its code."""


class Refused(Exception):
    """A request that is refused: the status and code, where the value stands, and members of its own."""

    def __init__(
        self, status: int, code: str, pointer: str | None = None, *, flaws: Sequence[Flaw] = (), **members: Any
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.members = status, code, members
        self.flaws = [(pointer, code)] if pointer is not None else list(flaws)


FLAWS_MAX = 20


def invalid(flaws: Sequence[Flaw]) -> Refused:
    """Values are refused: a single one gives its code, unless it is about what does not exist."""
    [code, *others] = [code for _, code in flaws]
    is_plain = not others and code != "not_found"
    return Refused(422, code if is_plain else "validation_failed", flaws=flaws[:FLAWS_MAX])


def problem(refused: Refused, path: str) -> httpx.Response:
    """The answer to a request that is refused."""
    words = refused.code.replace("_", " ").capitalize()
    flaws = [
        {"pointer" if where.startswith("/") or not where else "parameter": where, "code": code, "detail": words}
        for where, code in refused.flaws
    ]
    body = {
        "type": f"urn:payments:problem:{refused.code}",
        "title": words,
        "status": refused.status,
        "detail": f"{words}.",
        "instance": path,
        "code": refused.code,
        "errors": flaws,
        "request_id": uuid.uuid4().hex,
        "retryable": False,
        **refused.members,
    }
    return httpx.Response(refused.status, json=body, headers={"Content-Type": "application/problem+json"})
