"""GET /metrics: for Prometheus, with a token of its own."""

import hmac

import flask
from flask import Response, request

import metrics
from gateway.auth.guards import public
from gateway.http.edge import METRICS_PATH
from gateway.http.errors import ApiError
from gateway.ops.state_metrics import StateMetrics
from gateway.services import Services

CHALLENGE = {"WWW-Authenticate": "Bearer"}


def blueprint(services: Services) -> flask.Blueprint:
    """The route; it is no part of the API that clients use."""
    routes = flask.Blueprint("metrics", __name__)
    state = StateMetrics(services)
    expected = f"Bearer {services.settings.metrics_token}".encode()

    @routes.get(METRICS_PATH)
    @public
    def exposition() -> Response:
        """The metrics of this gateway's processes, and of the database."""
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
            raise ApiError("token_invalid", "This route takes METRICS_TOKEN alone.", headers=CHALLENGE)
        text = state.exposition() + metrics.exposition()
        return Response(text, content_type=metrics.CONTENT_TYPE)

    return routes
