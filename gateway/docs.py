"""GET /, /openapi.json, and /docs: Swagger UI from vendored files, which works offline."""

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import flask
from flask import Response, request, send_from_directory

from gateway.auth.guards import public
from gateway.http import media_types
from gateway.http.errors import not_found
from gateway.http.media_types import JSON

STATIC = Path(__file__).parent / "static"
SERVED = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "start.js"})
CACHE_SECONDS = 3600

HTML = "text/html"
LINKS = {"documentation": "/docs", "openapi": "/openapi.json", "status": "/status"}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page may only run its own three files and call this API."""


def blueprint(document: Callable[[], str]) -> flask.Blueprint:
    """The routes of the documentation; `document` returns the OpenAPI document."""
    routes = flask.Blueprint("docs", __name__)

    @routes.get("/")
    @public
    def root() -> Response:
        """Redirect browsers to the documentation, and give programs links."""
        if media_types.best_match(request.headers.get("Accept"), JSON, HTML) == HTML:
            answer = Response(status=HTTPStatus.FOUND, headers={"Location": LINKS["documentation"]})
        else:
            answer = Response(json.dumps({"name": "Payments", "links": LINKS}), content_type=JSON)
        answer.headers["Vary"] = "Accept"
        return answer

    @routes.get("/openapi.json")
    @public
    def openapi() -> Response:
        """The OpenAPI document."""
        return Response(document(), content_type="application/json")

    @routes.get("/docs")
    @public
    def page() -> Response:
        """The documentation page."""
        return _file("docs.html")

    @routes.get("/docs/<name>")
    @public
    def asset(name: str) -> Response:
        """The files of the documentation page."""
        if name not in SERVED:
            raise not_found()
        return _file(name)

    return routes


def _file(name: str) -> Response:
    response = send_from_directory(STATIC, name, max_age=CACHE_SECONDS)
    response.headers["Content-Security-Policy"] = POLICY
    return response
