"""Refusals of the fake, as problems of RFC 9457."""

from __future__ import annotations

import uuid
from typing import Any

import httpx


class Refused(Exception):
    """A request that is refused: the status and code, where the value stands, and members of its own."""

    def __init__(self, status: int, code: str, pointer: str | None = None, **members: Any) -> None:
        super().__init__(code)
        self.status, self.code, self.pointer, self.members = status, code, pointer, members


def problem(refused: Refused, path: str) -> httpx.Response:
    """The answer to a request that is refused."""
    words = refused.code.replace("_", " ").capitalize()
    name = "pointer" if (refused.pointer or "").startswith("/") else "parameter"
    flaws = [{name: refused.pointer, "code": refused.code, "detail": words}] if refused.pointer else []
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
