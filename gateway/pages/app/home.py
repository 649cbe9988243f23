"""GET /app: the wallets of the user."""

from flask import Response

from gateway.pages.rendering import query, render
from gateway.pages.visitors import get, page_blueprint

PAGE_LENGTH = "50"

app_pages = page_blueprint("app_pages", "/app", ("merchant", "client"))


@app_pages.get("")
def home() -> Response:
    """The wallets of the user, with their balances."""
    asked = {name: value for name, value in query().items() if name == "cursor"}
    answer = get("/v1/wallets", {"limit": PAGE_LENGTH, **asked})
    return render("app/home.html", page=answer.body, call=answer.call)
