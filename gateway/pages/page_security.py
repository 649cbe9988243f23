"""Cookies, form tokens and headers of the pages: no other site can frame them, post to them or read them."""

import hashlib
import hmac
import re
import secrets
from urllib.parse import SplitResult, urlsplit

from flask import Response, request

from gateway.http.access_log import WRITTEN
from gateway.pages.page_errors import PageError
from gateway.services import services

SESSION = "payments_session"
"""The cookie with the token of the session."""

VISIT = "payments_visit"
"""The cookie that binds the form of the sign-in page to a browser, before there is a session."""

CONSISTENT = "payments_consistent"
"""The cookie with the consistency token of what this browser wrote last."""

CSRF_FIELD = "csrf"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send Origin: null with a form
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}


_OWN_PATH = re.compile(r"/(console|app|second-factor)(/[\w./-]*)?(\?[\w.%&=+,~:-]*)?", re.ASCII)
"""Where a sign-in may lead: a page of ours, never another host."""


def own_path(path: str | None) -> str | None:
    """The path if it is one of our pages, else None."""
    return path if path and _OWN_PATH.fullmatch(path) and "//" not in path else None


def split_url(url: str) -> SplitResult:
    """The parts of a URL that anybody may have written; all are empty if it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def page_before() -> str:
    """The page of ours that sent this request, which browsers name; empty if there is none."""
    parts = split_url(request.referrer or "")
    return own_path(f"{parts.path}?{parts.query}" if parts.query else parts.path) or ""


def cookie_name(name: str) -> str:
    """The name of a cookie; browsers keep one with the prefix to this host and to https."""
    return f"__Host-{name}" if services().settings.secure_cookies else name


def read_cookie(name: str) -> str | None:
    """The value of a cookie of this request, or None."""
    return request.cookies.get(cookie_name(name))


def set_cookie(response: Response, name: str, value: str | None, *, same_site: str = "Strict") -> None:
    """Let the browser keep a cookie until it ends, out of reach of scripts; None deletes it."""
    is_secure = services().settings.secure_cookies
    response.set_cookie(
        cookie_name(name),
        value or "",
        max_age=0 if value is None else None,
        path="/",
        secure=is_secure,
        httponly=True,
        samesite=same_site,
    )


def new_visit() -> str:
    """A new value of the cookie VISIT."""
    return secrets.token_urlsafe(24)


def csrf_token(subject: str) -> str:
    """What a form must send: derived from the session's token (or the visit), and useless with any other."""
    key = services().settings.secret_key.encode()
    return hmac.new(key, f"form of {subject}".encode(), hashlib.sha256).hexdigest()


def check_form(subject: str | None) -> None:
    """Refuse a POST that is not from a form of ours, shown in this session (or visit); raises PageError."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    is_ours = site == "same-origin" and (origin is None or split_url(origin).netloc == request.host)
    sent = request.form.get(CSRF_FIELD, "")
    if not (is_ours and subject and hmac.compare_digest(sent.encode(), csrf_token(subject).encode())):
        raise PageError(403, "This form is out of date", "Nothing was done. Open the page again and repeat it.")


def secure(response: Response) -> Response:
    """After each page: its headers, and how far the pages after it must see."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if written := request.environ.get(WRITTEN):
        set_cookie(response, CONSISTENT, written)
    return response
