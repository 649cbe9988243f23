"""The static files of the pages: one style sheet, one script, and htmx."""

import flask
from flask import Response, send_from_directory

from gateway.pages import page_security
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import STATIC
from gateway.pages.visitors import add_error_pages

SERVED = frozenset({"pages.css", "pages.js", "htmx.min.js"})
CACHE_SECONDS = 365 * 24 * 3600
"""Their URLs change with their content."""

static_files = flask.Blueprint("pages_static", __name__, url_prefix="/pages")
static_files.after_request(page_security.secure)
add_error_pages(static_files)


@static_files.get("/<name>")
def file(name: str) -> Response:
    """One of the static files."""
    if name not in SERVED:
        raise PageError(404, "There is no such file", "")
    return send_from_directory(STATIC, name, max_age=CACHE_SECONDS)
