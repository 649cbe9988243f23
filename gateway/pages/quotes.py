"""/console/quotes/{id} and /app/quotes/{id}: what a quote offers, and the payment that used it."""

from flask import Response

from gateway.pages.app.pages import app_pages
from gateway.pages.console.pages import console
from gateway.pages.rendering import render
from gateway.pages.visitors import get, home_of, visitor


@console.get("/quotes/<id>")
@app_pages.get("/quotes/<id>")
def quote(id: str) -> Response:
    """One quote."""
    answer = get(f"/v1/quotes/{id}")
    return render("quote.html", quote=answer.body, home=home_of(visitor().role), call=answer.call)
