"""Whether the service does its work: in the fake, always."""

from __future__ import annotations

import httpx

from payments_client.testing.books import Books
from payments_client.testing.routing import Asked, answers


@answers("get_health_live", "get_health_ready")
def health(_books: Books, _asked: Asked) -> httpx.Response:
    """It lives and is ready."""
    return httpx.Response(200, json={"status": "ok"})


@answers("get_status")
def status(books: Books, _asked: Asked) -> httpx.Response:
    """Its state: nothing waits longer than until the next request."""
    ok = {"status": "ok", "database": "ok", "broker": "ok", "workers": [], "waiting": len(books.undecided)}
    return httpx.Response(200, json={**ok, "oldest_due_seconds": 0.0, "problems": [], "pauses": [], "paused": 0})
