"""The HTTP gateway: accepts payments and reads them; it cannot move money."""

import json
from functools import cache, partial

from flask import Flask

import settings as configuration
from gateway import docs, fast_path
from gateway.blueprints import BLUEPRINTS
from gateway.fast_path import FastPath
from gateway.http import errors
from gateway.http.access_log import AccessLog, note_route
from gateway.http.blueprint import open_api
from gateway.http.edge import EdgeMiddleware, allow_origins, count_public_request, raise_pending_error
from gateway.http.event_loop import in_thread
from gateway.http.parsing import StrictRequest
from gateway.ops import metrics_routes
from gateway.pages import registration
from gateway.services import Services, note_written
from settings import Settings


class Gateway(Flask):
    """The Flask application, with strict parsing of requests."""

    request_class = StrictRequest


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application; opens nothing until the first request."""
    settings = settings or configuration.load()
    app = Gateway("gateway", static_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    app.extensions["gateway"] = services = Services(settings)
    rate_limits = services.rate_limits
    edge = EdgeMiddleware(FastPath(in_thread(app.wsgi_app), services), settings, rate_limits.unauthenticated)
    app.wsgi_app = AccessLog(edge)  # type: ignore[method-assign]
    app.extensions["runs_on_loop"] = fast_path.is_common
    errors.register(app)
    app.after_request(note_written)
    app.before_request(note_route)
    app.before_request(raise_pending_error)
    app.before_request(partial(count_public_request, rate_limits.unauthenticated))
    app.before_request(rate_limits.count_marked)
    allow_origins(app, settings.allowed_origins)
    api = open_api(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.extensions["contract"] = document = cache(lambda: json.dumps(api.spec.to_dict()))
    app.register_blueprint(docs.blueprint(document))
    registration.register(app)
    if settings.metrics_token:
        app.register_blueprint(metrics_routes.blueprint(services))
    return app
