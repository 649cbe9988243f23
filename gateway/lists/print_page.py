"""A page to print: HTML with one style, and without any script."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from flask import Response, render_template

STYLE = (
    "body{font:10pt sans-serif}table{border-collapse:collapse;width:100%}thead{display:table-header-group}"
    "th,td{border-bottom:1px solid #999;padding:2pt 4pt;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "tr{break-inside:avoid}.money{text-align:right;white-space:nowrap}"
)

POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-modals"
)
"""Allows this one style and the print dialog, and no script."""


def print_page(template: str, body: Mapping[str, Any]) -> Response:
    """The template with the members of the body."""
    text = render_template(template, style=STYLE, **body)
    return Response(text, headers={"Content-Security-Policy": POLICY}, content_type="text/html; charset=utf-8")
