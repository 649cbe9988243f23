"""A fast path for creating and reading a payment: the same responses as the routes give, without the framework's cost.

Any other request falls through to the route, and so does every error: it is kept in the WSGI environment, and Flask
raises it again and renders it by the one table of errors.
"""

import io
import re
import time
from collections.abc import Callable, Iterable

from gateway.acceptance.final_payment_cache import KeptAnswer
from gateway.auth.guards import authenticate
from gateway.auth.tokens import Caller
from gateway.http.access_log import PENDING_ERROR, ROUTE, Application, Environ
from gateway.http.blueprint import encode
from gateway.http.clean_body import clean_loader
from gateway.http.media_types import JSON, PROBLEM, best_match, is_json
from gateway.http.parsing import BODY_BYTES_MAX, decode_body, load_parsed, parse
from gateway.outcomes.prefer import final_for, is_final, needs_no_wait, wait_for, wait_for_change
from gateway.outcomes.responses import payment_headers
from gateway.payments.create import ROUTES, create_payment
from gateway.services import Services
from models.payment_view import PaymentView
from models.representations import is_visible, payment_body

CONTENT_LENGTH = re.compile("[0-9]{1,6}", re.ASCII)

PAYMENT_ROUTE = "/v1/payments/{id}"
PAYMENT_PATH = re.compile("/v1/payments/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.ASCII)

Headers = dict[str, str]
Answer = tuple[str, bytes, Headers]
"""Status, body and headers."""


class FastPath:
    """Middleware that answers common POSTs of payments and GETs of one payment itself."""

    def __init__(self, application: Application, services: Services) -> None:
        self._application = application
        self._services = services
        self._allows_origins = bool(services.settings.allowed_origins)
        self._schemas = {path: route.schema() for path, route in ROUTES.items()}
        self._loaders = {path: clean_loader(schema) for path, schema in self._schemas.items()}

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        answer = None
        if (
            PENDING_ERROR not in environ
            and not (self._allows_origins and "HTTP_ORIGIN" in environ)
            and _is_plain(environ)
        ):
            if environ["REQUEST_METHOD"] == "GET":
                answer = self._get(environ)
            elif environ["REQUEST_METHOD"] == "POST" and _is_plain_post(environ):
                answer = self._post(environ)
        if answer is None:
            return self._application(environ, start_response)
        status, body, headers = answer
        start_response(status, list(headers.items()))
        return [body]

    def _get(self, environ: Environ) -> Answer | None:
        """The response to a GET of a payment that the caller may see; else None."""
        match = PAYMENT_PATH.fullmatch(environ.get("PATH_INFO", ""))
        if match is None:
            return None
        environ[ROUTE] = PAYMENT_ROUTE
        payments = self._services.final_payments
        try:
            caller = authenticate(environ, self._services)
            if "payments:read" not in caller.scopes:
                return None
            kept = payments.answer(match[1], caller)
            if kept is not None:
                return _kept_answer(kept, environ)
            read_at = time.monotonic()
            view = payments.payment(match[1])
            if view is None or not is_visible(view, caller):
                return None
            view, not_modified, applied = wait_for_change(view, environ, self._services)
            headers = payment_headers(view, caller) | applied
            del headers["Location"]
            if not_modified:
                return _not_modified(headers)
            answer = _answer("200 OK", view, caller, headers)
            payments.keep(view, caller, read_at, headers["ETag"], answer[1])
        except Exception as error:
            environ[PENDING_ERROR] = error
            return None
        return answer

    def _post(self, environ: Environ) -> Answer | None:
        """The response to a POST of a payment, or None to leave it to the route; the body can be read again."""
        environ[ROUTE] = path = environ["PATH_INFO"]
        length = int(environ["CONTENT_LENGTH"])
        received = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(received)
        if len(received) != length:
            return None
        try:
            caller = authenticate(environ, self._services)
            if caller.scopes.isdisjoint(ROUTES[path].scopes):
                return None
            body = parse(decode_body(received))
            loaded = self._loaders[path](body) or load_parsed(self._schemas[path], body)
            accepted = create_payment(path, body, loaded, environ, caller, self._services)
            view, applied = accepted.view, Headers()
            if "HTTP_PREFER" in environ:
                view, applied = wait_for(view, needs_no_wait, environ, self._services)
        except Exception as error:
            environ[PENDING_ERROR] = error
            return None
        status = "201 CREATED" if applied and is_final(view) else "202 ACCEPTED"
        return _answer(status, view, caller, payment_headers(view, caller, is_replay=accepted.is_replay) | applied)


def is_common(environ: Environ) -> bool:
    """True for a request that the fast path looks at: it runs on the event loop, and does not wait in other ways."""
    if "HTTP_TRANSFER_ENCODING" in environ:  # its body arrives while it is answered
        return False
    if environ["REQUEST_METHOD"] == "POST":
        return _is_plain_post(environ)
    is_get = environ["REQUEST_METHOD"] == "GET" and "CONTENT_LENGTH" not in environ
    return is_get and PAYMENT_PATH.fullmatch(environ["PATH_INFO"]) is not None


def _is_plain(environ: Environ) -> bool:
    """True if no query, path prefix, encoding or unusual Accept changes the form of the response."""
    return (
        not environ.get("QUERY_STRING")
        and not environ.get("SCRIPT_NAME")
        and "HTTP_CONTENT_ENCODING" not in environ
        and best_match(environ.get("HTTP_ACCEPT"), JSON, PROBLEM) is not None
    )


def _is_plain_post(environ: Environ) -> bool:
    """True if the request creates a payment with a JSON body of an allowed Content-Length."""
    length = environ.get("CONTENT_LENGTH", "")
    return (
        environ.get("PATH_INFO") in ROUTES
        and is_json(environ.get("CONTENT_TYPE", ""))
        and "HTTP_TRANSFER_ENCODING" not in environ
        and CONTENT_LENGTH.fullmatch(length) is not None
        and int(length) <= BODY_BYTES_MAX
    )


def _kept_answer(kept: KeptAnswer, environ: Environ) -> Answer:
    not_modified, applied = final_for(kept.etag, environ)
    headers = {"ETag": kept.etag} | applied
    return _not_modified(headers) if not_modified else ("200 OK", kept.body, headers | _of_json(kept.body))


def _not_modified(headers: Headers) -> Answer:
    return "304 NOT MODIFIED", b"", headers


def _answer(status: str, view: PaymentView, caller: Caller, headers: Headers) -> Answer:
    body = encode(payment_body(view, caller)).encode()
    return status, body, headers | _of_json(body)


def _of_json(body: bytes) -> Headers:
    return {"Content-Type": JSON, "Content-Length": str(len(body))}
