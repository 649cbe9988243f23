"""GET /console: the overview."""

from flask import Response

from gateway.pages.console.pages import console
from gateway.pages.rendering import render


@console.get("")
def overview() -> Response:
    """The overview."""
    return render("console/overview.html")
