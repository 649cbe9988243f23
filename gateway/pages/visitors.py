"""The blueprints of pages: each page needs a session of a role that may see it, and each form its token."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

import flask
from flask import Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from gateway.auth.tokens import Caller
from gateway.http.access_log import NETWORK, REQUEST_ID
from gateway.http.errors import PROBLEMS, ApiError
from gateway.pages import page_security
from gateway.pages.api_calls import ApiAnswer, ApiCall, ApiRefused, fetch, require, send
from gateway.pages.page_errors import PageError, SignInNeeded
from gateway.pages.page_security import SESSION, own_path
from gateway.pages.rendering import redirect, render
from gateway.services import services

OPS, AUDITOR = "ops", "auditor"
SIGN_IN = "/sign-in"
EVENT_STREAM = "text/event-stream"
SECOND_FACTOR = "/second-factor"

ENDED = ("token_missing", "token_invalid", "user_inactive")
"""Codes by which the API refuses a session that ended; any other refusal leaves it as it is."""

ENROLMENT_REQUIRED = "second_factor_enrolment_required"
"""The code by which the API refuses all else to a session of ops without a second factor."""

HOME = {OPS: "/console", AUDITOR: "/console"}
"""The first page of a role; that of all others is OTHER_HOME."""

OTHER_HOME = "/app"


FORM_BYTES = 64 * 1024
"""Room for the fields beside a file."""

View = TypeVar("View", bound=Callable[..., Response])


class Visitor(NamedTuple):
    """The user who looks at a page."""

    token: str
    caller: Caller
    name: str
    email: str

    @property
    def role(self) -> str:
        """The user's role."""
        return self.caller.role

    @property
    def csrf(self) -> str:
        """The token of the forms of this session."""
        return page_security.csrf_token(self.token)

    def may(self, scope: str) -> bool:
        """Whether the API lets them do what needs this scope: pages hide it otherwise."""
        return scope in self.caller.scopes


def home_of(role: str) -> str:
    """The first page of a role."""
    return HOME.get(role, OTHER_HOME)


def visitor() -> Visitor:
    """The user who sent this request."""
    found: Visitor = g.visitor
    return found


def get(path: str, query: dict[str, str] | None = None) -> ApiAnswer:
    """The API's answer to a GET of the visitor; raises ApiRefused."""
    return require(ApiCall("GET", path, query or {}), visitor().token)


def attempt(call: ApiCall) -> ApiAnswer:
    """The API's answer to a call of the visitor, which may be a refusal."""
    return send(call, visitor().token)


def download(path: str, query: dict[str, str], media_type: str, **headers: str) -> Response:
    """The API's answer to a GET of the visitor, as a file or stream of this type; raises ApiRefused."""
    return fetch(ApiCall("GET", path, query, headers=headers), media_type, visitor().token)


def takes_file(bytes_max: int) -> Callable[[View], View]:
    """Decorator: the form of this page brings a file of up to so many bytes."""

    def decorator(view: View) -> View:
        view.form_bytes_max = bytes_max + FORM_BYTES  # type: ignore[attr-defined]
        return view

    return decorator


def page_blueprint(name: str, prefix: str, roles: Collection[str] | None) -> flask.Blueprint:
    """A blueprint of pages below the prefix for these roles, None for all; whatever is added to it is guarded."""
    blueprint = flask.Blueprint(name, __name__, url_prefix=prefix)
    blueprint.before_request(partial(enter, roles))
    blueprint.after_request(page_security.secure)
    blueprint.teardown_request(lambda _: request.close())  # large files of forms are on the disk
    add_error_pages(blueprint)
    blueprint.add_url_rule("/<path:rest>", f"{name}_unknown", _unknown, methods=["GET", "POST"])
    return blueprint


def add_error_pages(blueprint: flask.Blueprint) -> None:
    """Let errors of these pages be pages."""
    blueprint.register_error_handler(SignInNeeded, _to_sign_in)
    blueprint.register_error_handler(PageError, lambda error: _page(error.status, error.title, error.detail))
    blueprint.register_error_handler(ApiRefused, _refused)
    blueprint.register_error_handler(ApiError, lambda error: _problem(error.code, error.detail))
    blueprint.register_error_handler(HTTPException, _http_error)


def enter(roles: Collection[str] | None) -> Response | None:
    """Before a page: find the visitor, and refuse who may not see it; raises SignInNeeded or PageError."""
    token = page_security.read_cookie(SESSION)
    if not token:
        services().rate_limits.unauthenticated.count(request.environ[NETWORK], request.environ)
        raise SignInNeeded
    answer = send(ApiCall("GET", "/v1/me"), token)
    if answer.caller is None:
        raise SignInNeeded if answer.code in ENDED else ApiRefused(answer)
    me = answer.body
    g.visitor = Visitor(token, answer.caller, me.get("name", ""), me.get("email", ""))
    if request.method == "POST":
        view = current_app.view_functions[request.endpoint or ""]
        request.max_content_length = getattr(view, "form_bytes_max", request.max_content_length)
        page_security.check_form(token)
    if answer.code == ENROLMENT_REQUIRED:
        return None if request.path.startswith(SECOND_FACTOR) else redirect(SECOND_FACTOR)
    if not answer.is_ok:
        raise ApiRefused(answer)
    if roles is not None and answer.caller.role not in roles:
        home = home_of(answer.caller.role)
        if request.method == "POST" or request.path.startswith(home):  # a member who acts for no merchant has no home
            raise PageError(403, "Not for your role", "Nothing was done.")
        return redirect(home)
    return None


def _unknown(rest: str) -> Response:  # noqa: ARG001 - whatever it is
    raise PageError(404, "There is no such page", "It may have been moved, or the link is incomplete.")


def _to_sign_in(_: SignInNeeded) -> Response:
    """Lead to the sign-in page, and back after it; a part of a page leads the whole page there, a stream nowhere."""
    wanted = request.path + (f"?{request.query_string.decode('latin-1')}" if request.query_string else "")
    wanted = wanted if request.method == "GET" and own_path(wanted) else ""
    location = f"{SIGN_IN}?{urlencode({'next': wanted})}" if wanted else SIGN_IN
    if "HX-Request" in request.headers or EVENT_STREAM in request.accept_mimetypes.values():
        response = Response(status=401, headers={"HX-Redirect": location})
    else:
        response = redirect(location)
    if page_security.read_cookie(SESSION):
        page_security.set_cookie(response, SESSION, None)
    return response


def _refused(error: ApiRefused) -> Response:
    body = error.answer.body
    return _page(error.answer.status, body.get("title", "It did not work"), body.get("detail", ""), error.answer.code)


def _problem(code: str, detail: str) -> Response:
    return _page(PROBLEMS[code].status, PROBLEMS[code].title, detail, code)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status >= 500:  # noqa: PLR2004 - ours
        return _page(status, "Something went wrong on our side", "It is in the log under the id below.")
    return _page(status, error.name, error.description or "")


def _page(status: int, title: str, detail: str, code: str | None = None) -> Response:
    known: Any = g.get("visitor")
    return render(
        "error.html",
        status,
        title=title,
        detail=detail,
        code=code,
        home=home_of(known.role) if known else SIGN_IN,
        request_id=request.environ[REQUEST_ID],
    )
