"""Renders pages from templates; every value is escaped."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from flask import Response, current_app, g, request
from markupsafe import Markup, escape

from gateway.pages import form_errors, formats
from gateway.pages.formats import LOCAL_TIMES, RELATIVE_TIMES, TIMES, UTC_TIMES
from gateway.pages.page_security import page_before
from gateway.pages.status_bar import status_bar
from gateway.services import services

STATIC = Path(__file__).parent.parent / "static"
TEMPLATES = Path(__file__).parent / "templates"

TIMES_COOKIE = "payments_times"
REFRESH_SECONDS = ("5", "15", "60")
"""What a reader may choose to have a page refreshed by."""

FRAME_PARAMETERS = ("refresh",)
"""Parameters of every page, which are no filters of its list."""


@cache
def environment() -> jinja2.Environment:
    """The templates: an unknown name is an error, not an empty text."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = (
        formats.amount,
        formats.tail,
        formats.counted,
        formats.words,
        formats.plain,
        formats.pretty,
        formats.duration,
    )
    made.filters.update({function.__name__: function for function in (*shown, formats.age, formats.utc)})
    made.globals.update(errors_at=form_errors.errors_at, described=form_errors.described)
    made.globals.update(asset=asset, time=time_element, with_query=formats.with_query, times_shown=times_shown)
    return made


@cache
def asset(name: str) -> str:
    """The URL of a static file, which changes with its content."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/pages/{name}?v={digest[:12]}"


def times_shown() -> str:
    """How the visitor wants times to be shown."""
    chosen = request.cookies.get(TIMES_COOKIE, UTC_TIMES)
    return chosen if chosen in TIMES else UTC_TIMES


def time_element(value: str | None, none: str = "–") -> Markup:
    """A time as the visitor wants it, with the exact time as its title."""
    if not value:
        return escape(none)
    text = formats.age(value) if times_shown() == RELATIVE_TIMES else formats.utc(value)
    local = Markup(' data-local=""') if times_shown() == LOCAL_TIMES else ""
    exact = formats.utc(value)
    return Markup('<time datetime="{}" title="{} UTC"{}>{}</time>').format(value, exact, local, text)


def query() -> dict[str, str]:
    """The parameters of this page's URL; of one that is repeated, as boxes of a form are, the values as a list."""
    return {name: ",".join(values) for name, values in request.args.lists()}


def redirect(location: str) -> Response:
    """An answer that leads the browser to another page, which it gets."""
    return Response(status=303, headers={"Location": location})


def render(template: str, status: int = 200, **context: Any) -> Response:
    """A page; templates see the visitor (None before sign-in), the settings of the frame, and the context."""
    known = g.get("visitor")
    settings = services().settings
    refresh = request.args.get("refresh", "")
    frame = {
        "visitor": known,
        "csrf": known.csrf if known else context.get("csrf"),
        "environment_name": settings.environment_name,
        "environment_color": settings.environment_color,
        "release": settings.release,
        "status_bar": status_bar() if known and known.role in ("ops", "auditor") else None,
        "path": request.path,
        "page_before": page_before(),
        "query": query(),
        "refresh": refresh if refresh in REFRESH_SECONDS else "",
        "focus": form_errors.Focus(),
        "navigation": current_app.extensions["navigation"],
        "navigation_scopes": current_app.extensions["navigation_scopes"],
    }
    text = environment().get_template(template).render({**frame, **context})
    return Response(text, status, content_type="text/html; charset=utf-8")
