"""Parsing of Accept and Content-Type, lenient enough for what clients send by default."""

import codecs
import re
from functools import lru_cache

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_list_header, parse_options_header

JSON = "application/json"
PROBLEM = "application/problem+json"

CACHED_MAX = 128
"""Parsed headers that a process caches; clients send few different ones, of at most 8 kB each."""

_WEIGHT = re.compile(r"0?\.[0-9]+|0\.?|1(\.0*)?", re.ASCII)


@lru_cache(CACHED_MAX)
def best_match(accept: str | None, *offers: str) -> str | None:
    """The offer that the Accept header prefers, the first of equals; None if it accepts none.

    Parameters other than the weight are ignored, `*` means `*/*`, an unreadable weight is 1 and an unreadable range is
    skipped. A header without a readable range accepts everything, as does a missing header.
    """
    ranges = [
        (named if named != "*" else "*/*", _weight(options.get("q", "1")))
        for named, options in map(parse_options_header, parse_list_header(accept or ""))
        if named == "*" or "/" in named
    ]
    return MIMEAccept(ranges or [("*/*", 1.0)]).best_match(offers)


@lru_cache(CACHED_MAX)
def is_json(content_type: str) -> bool:
    """True if the Content-Type is JSON in UTF-8."""
    media_type, options = parse_options_header(content_type)
    return media_type.lower() == JSON and is_utf8(options.get("charset", "utf-8"))


def is_utf8(charset: str) -> bool:
    """True if the charset is a name of UTF-8, such as `utf8`."""
    try:
        return codecs.lookup(charset).name == "utf-8"
    except (LookupError, ValueError):
        return False


def _weight(text: str) -> float:
    return float(text) if _WEIGHT.fullmatch(text.strip()) else 1.0
