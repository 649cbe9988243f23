"""How values of the API are shown: amounts, times, durations, ids, and query strings."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

UTC_TIMES, LOCAL_TIMES, RELATIVE_TIMES = "utc", "local", "relative"
TIMES = (UTC_TIMES, LOCAL_TIMES, RELATIVE_TIMES)
"""How times are shown: in UTC, in the zone of the browser (by a script; without one in UTC), or as their age."""

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
ID_TAIL = 8
"""Characters of an id in lists: ids begin with the time, so neighbours differ at the end."""

LISTED_MAX = 3
"""Values of a filter that are written out."""

COUNTED_MAX = 10_000
"""Above this the API counts no further."""


def moment(value: str | None) -> datetime | None:
    """The time of an ISO 8601 text."""
    return datetime.fromisoformat(value).astimezone(UTC) if value else None


def utc(value: str | None) -> str:
    """A time in UTC, to the second."""
    at = moment(value)
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def age(value: str | None) -> str:
    """How long ago a time was, or how long until it comes."""
    at = moment(value)
    if at is None:
        return ""
    seconds = time.time() - at.timestamp()
    return f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"


def this_day() -> str:
    """This day in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def duration(seconds: float | None) -> str:
    """A duration in its two largest units."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return _units(whole, MINUTE, "min", 1, "s")
    if whole < 2 * DAY:
        return _units(whole, HOUR, "h", MINUTE, "min")
    return _units(whole, DAY, "d", HOUR, "h")


def _units(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large} {large_name}" + (f" {rest} {small_name}" if rest else "")


def month_now() -> str:
    """The month of now in UTC, as YYYY-MM."""
    return this_day()[:7]


def amount(value: str | None) -> str:
    """A decimal amount with its thousands apart."""
    if value is None:
        return ""
    sign, digits = ("−", value[1:]) if value.startswith("-") else ("", value)
    whole, point, decimals = digits.partition(".")
    return f"{sign}{int(whole):,}{point}{decimals}" if whole.isdecimal() else value


def tail(id: str | None) -> str:
    """The end of an id."""
    return f"…{id[-ID_TAIL:]}" if id else ""


def counted(number: int) -> str:
    """A count as far as the API counts."""
    return f"{COUNTED_MAX:,}+" if number >= COUNTED_MAX else f"{number:,}"


def words(code: str | None) -> str:
    """A code as words."""
    return (code or "").replace("_", " ")


def plain(value: Any) -> str:
    """A value of a filter, for people: a list is counted, and true is yes."""
    if isinstance(value, list) or (isinstance(value, str) and "," in value):
        items = value if isinstance(value, list) else value.split(",")
        return ", ".join(items) if len(items) <= LISTED_MAX else f"{len(items)} of them"
    return "yes" if value in (True, "true") else str(value)


def pretty(value: Any) -> str:
    """JSON to be read by people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def with_query(path: str, query: Mapping[str, str], **changes: str | None) -> str:
    """The path with the query after changes; None removes a parameter."""
    merged = {name: value for name, value in {**query, **changes}.items() if value not in (None, "")}
    return f"{path}?{urlencode(merged)}" if merged else path
