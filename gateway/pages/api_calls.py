"""The API as pages use it: called in this process, with the token of the page's session.

A page has no power that its user lacks over HTTP: the same routes check scopes, values and rate limits, and write the
audit log.
"""

import io
import json
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import Response, current_app, request

from gateway.auth.tokens import Caller
from gateway.http.access_log import ADDRESS, CALLER, NETWORK, REQUEST_ID, USER_ID, WRITTEN, Environ
from gateway.http.client import CLIENT
from gateway.http.media_types import JSON
from gateway.pages.page_security import CONSISTENT, read_cookie
from gateway.services import services

KEPT = (
    *(ADDRESS, NETWORK, REQUEST_ID, CLIENT, "REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"),
    *("HTTP_HOST", "HTTP_USER_AGENT", "wsgi.version", "wsgi.url_scheme", "wsgi.errors"),
    *("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"),
)
"""What a call has of the page's request: who sent it, from where, and under which Request-Id."""

EMPTY: Mapping[str, str] = MappingProxyType({})


class ApiFile(NamedTuple):
    """A file as the body of a request, and its media type; `name` is what a shell would send."""

    data: bytes
    media_type: str
    name: str


class ApiCall(NamedTuple):
    """A request to the API; `headers` are those besides Authorization and Content-Type.

    Its body is JSON, or a file.
    """

    method: str
    path: str
    query: Mapping[str, str] = EMPTY
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = EMPTY
    file: ApiFile | None = None

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def curl(self) -> str:
        """The command that sends this request, with the token in $TOKEN."""
        scheme = "https" if services().settings.secure_cookies else request.scheme
        words = ["curl", *(("-X", self.method) if self.method != "GET" else ())]
        words += [f"{scheme}://{request.host}{self.target}"]
        for name, value in self.headers.items():
            words += ["-H", f"{name}: {value}"]
        if self.body is not None:
            words += ["-H", f"Content-Type: {JSON}", "-d", json.dumps(self.body, ensure_ascii=False)]
        if self.file is not None:
            words += ["-H", f"Content-Type: {self.file.media_type}", "--data-binary", f"@{self.file.name}"]
        return f'{shlex.join(words)} -H "Authorization: Bearer $TOKEN"'


class ApiAnswer(NamedTuple):
    """The answer of the API; `caller` is the user of the token, if it was valid, `etag` what If-Match takes."""

    status: int
    body: dict[str, Any]
    call: ApiCall
    caller: Caller | None
    etag: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether it is no error."""
        return self.status < 400  # noqa: PLR2004 - where errors begin

    @property
    def code(self) -> str | None:
        """The code of an error, as in docs/errors.md."""
        return None if self.is_ok else self.body.get("code", "internal_error")


class ApiRefused(Exception):
    """The API refused a call that a page cannot do without."""

    def __init__(self, answer: ApiAnswer) -> None:
        super().__init__(answer.body.get("detail", ""))
        self.answer = answer


def send(call: ApiCall, token: str | None) -> ApiAnswer:
    """The answer of the API; a call that fails unexpectedly raises what it raised."""
    environ = _environ(call, token)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    with app.app_context(), app.request_context(environ):
        response = app.full_dispatch_request()
        text = response.get_data(as_text=True)
    request.environ |= {name: environ[name] for name in (USER_ID, WRITTEN) if name in environ}
    etag = response.headers.get("ETag", "")
    return ApiAnswer(response.status_code, json.loads(text) if text else {}, call, environ.get(CALLER), etag)


def fetch(call: ApiCall, media_type: str, token: str) -> Response:
    """The API's answer itself, in a format other than JSON: a file or a stream; raises ApiRefused for an error."""
    environ = _environ(call, token)
    environ["HTTP_ACCEPT"] = media_type
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    with app.app_context(), app.request_context(environ):
        response: Response = app.full_dispatch_request()
        if response.status_code >= 400:  # noqa: PLR2004 - where errors begin
            raise ApiRefused(ApiAnswer(response.status_code, response.get_json(), call, environ.get(CALLER)))
    return response


def require(call: ApiCall, token: str | None) -> ApiAnswer:
    """The answer of the API; raises ApiRefused if it is an error."""
    answer = send(call, token)
    if not answer.is_ok:
        raise ApiRefused(answer)
    return answer


def _environ(call: ApiCall, token: str | None) -> Environ:
    body = b"" if call.body is None else json.dumps(call.body).encode()
    if call.file is not None:
        body = call.file.data
    environ: Environ = {name: request.environ[name] for name in KEPT if name in request.environ}
    environ |= {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": call.path.encode().decode("latin-1"),
        "QUERY_STRING": urlencode(call.query),
        "HTTP_ACCEPT": JSON,
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
    }
    if call.body is not None:
        environ["CONTENT_TYPE"] = JSON
    if call.file is not None:
        environ["CONTENT_TYPE"] = call.file.media_type
    if token is not None:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    if written := request.environ.get(WRITTEN) or read_cookie(CONSISTENT):
        environ["HTTP_CONSISTENCY_TOKEN"] = written
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in call.headers.items()}
    return environ
