"""The decorators that declare a route (`arguments`, `response`), and the OpenAPI document made from them."""

import json
from collections.abc import Callable
from functools import partial, wraps
from http import HTTPStatus
from typing import Any

import flask_smorest
import marshmallow as ma
from flask import Flask, Response
from flask_smorest.utils import prepare_response
from werkzeug.datastructures import Headers

from gateway.http.errors import MEDIA_TYPE
from gateway.http.openapi import completed
from gateway.http.parsing import StrictParser
from gateway.http.schemas import ProblemSchema

Body = dict[str, Any]
"""A JSON object: a parsed request or a response."""

JsonAnswer = tuple[Body, dict[str, str]]
"""The result of a view: body and headers; the status is the one that the route declares."""

encode = json.JSONEncoder(separators=(",", ":")).encode


class JsonResponse(Response):
    """A response whose headers are sent exactly as the view set them: complete, and ASCII."""

    def get_wsgi_headers(self, _: Any) -> Headers:
        return self.headers


def no_content() -> Response:
    """A response with status 204 and no body."""
    answer = Response(status=HTTPStatus.NO_CONTENT)
    del answer.headers["Content-Type"]
    return answer


class Blueprint(flask_smorest.Blueprint):
    """A group of routes with strict input; a response is serialized once, as the view returned it."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_keep_parameters)

    def response(self, status_code: int, schema: type[ma.Schema] | None = None, **kwargs: Any) -> Callable[..., Any]:
        """Decorator for a view that returns a Response, or a JSON-serializable body, headers and optionally a status.

        The schema documents the body; the tests check every response against it, so that no request has to.
        """
        document = super().response(status_code, schema, **kwargs)

        def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Response:
                answer = view(*args, **kwargs)
                if isinstance(answer, Response):
                    return answer
                body, headers, status = (*answer, status_code)[:3]
                return JsonResponse(encode(body), status, headers, content_type="application/json")

            wrapper._apidoc = document(view)._apidoc  # type: ignore[attr-defined]
            return wrapper

        return decorator

    def outcome(self, schema: type[ma.Schema], final: int = HTTPStatus.CREATED) -> Callable[..., Any]:
        """Decorator for a view that answers 202 as `response` does, or `final` if the outcome is known in time."""
        accepted = self.response(HTTPStatus.ACCEPTED, schema)
        ended = self.alt_response(
            final, schema=schema, description="The outcome, known within the time of `Prefer: wait`."
        )
        return lambda view: accepted(ended(view))

    def register_views_in_doc(self, api: "Api", *args: Any, **kwargs: Any) -> None:
        """Defer the description of the views until the document is needed; a command needs none."""
        api.undescribed.append(partial(super().register_views_in_doc, api, *args, **kwargs))


def _keep_parameters(document: Body, declared: Body, **_: Any) -> Body:
    """Keep the parameters of `arguments` beside those of `doc`, which would replace them."""
    manual = declared.get("manual_doc", {})
    if "parameters" in manual:
        manual["parameters"] = [*document.get("parameters", ()), *manual["parameters"]]
    return document


class Api(flask_smorest.Api):
    """The OpenAPI document; only gateway/http/errors.py renders errors."""

    ERROR_SCHEMA = ProblemSchema

    def _init_spec(self, **options: Any) -> None:
        super()._init_spec(**options)
        self.undescribed: list[Callable[[], None]] = []
        to_dict = self.spec.to_dict

        def complete() -> dict[str, Any]:
            while self.undescribed:
                self.undescribed.pop(0)()
            return completed(to_dict())

        self.spec.to_dict = complete

    def _register_error_handlers(self) -> None:
        pass

    def _register_responses(self) -> None:
        for name, description in [*((s.name, s.phrase) for s in HTTPStatus), ("DEFAULT_ERROR", "An error")]:
            response = {"description": description, "schema": self.ERROR_SCHEMA}
            prepare_response(response, self.spec, MEDIA_TYPE)
            self.spec.components.response(name, response, lazy=True)


def header(name: str, description: str, example: str, *, schema: Any = None, **members: Any) -> dict[str, Any]:
    """A header of requests as a parameter of the OpenAPI document; any text, unless it has a schema."""
    described = {"description": description, "schema": schema or {"type": "string"}, "example": example}
    return {"in": "header", "name": name, **members, **described}


IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "Identifies the request: sent again with the same body, it is answered with the same payment.",
    "order-4711",
    schema={"type": "string", "minLength": 1, "maxLength": 257},
)
"""Some routes require it."""

IF_NONE_MATCH = header("If-None-Match", "The ETag that you have: 304 if nothing has changed since.", '"1-5f2a"')
IF_MATCH = header("If-Match", "The ETag of what you change, or *: 412 if it has changed since.", "*", required=True)
PREFER = header(
    "Prefer", "`wait=N`: answer when the outcome is known, after N seconds at the latest (at most 30).", "wait=5"
)


def open_api(app: Flask) -> Api:
    """The API of the app, before any route is registered."""
    app.config.update(API_TITLE="Payments", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    api = Api(app, spec_kwargs={"info": {"license": {"name": "MIT", "identifier": "MIT"}}})
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    return api
