"""GET /app: the wallets of the user, and their payments that wait."""

from flask import Response

from gateway.pages.app.pages import app_pages
from gateway.pages.rendering import query, render
from gateway.pages.visitors import get

PAGE_LENGTH = "50"

WAITING = {"state": "INITIATED,AUTHORIZED", "limit": "10"}


@app_pages.get("")
def home() -> Response:
    """The wallets of the user with their balances, and the newest payments that are not final."""
    asked = {name: value for name, value in query().items() if name in ("cursor", "is_active")}
    answer = get("/v1/wallets", {"limit": PAGE_LENGTH, **asked})
    waiting = get("/v1/payments", WAITING).body
    return render("app/home.html", page=answer.body, waiting=waiting, call=answer.call)
