"""Event streams as their readers have them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.test import TestResponse

from gateway.events.subscription import EVENT_STREAM
from tests.gateway.harness import ApiHarness, ApiUser

ASKED = {"Accept": EVENT_STREAM}


def events_of(text: str) -> list[dict[str, Any]]:
    """The events of a stream, as an EventSource parses them."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith((":", "retry:")))
        if fields:
            found.append({**fields, "data": json.loads(fields["data"])})
    return found


@contextmanager
def stream(person: ApiUser, path: str, **headers: str) -> Iterator[tuple[TestResponse, Iterator[str]]]:
    """An open stream: its head, and its chunks as they arrive."""
    sent = {"Authorization": f"Bearer {person.token}", **ASKED, **headers}
    answer = person.api.app.test_client().open(path, headers=sent)
    try:
        yield answer, (piece.decode() for piece in answer.response)
    finally:
        answer.close()


def waiting(api: ApiHarness) -> int:
    """How many requests wait."""
    return len(api.app.extensions["gateway"].waiters)
