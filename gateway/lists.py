"""Pages of a list: signed cursors, tied to the caller and to what was asked for."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from gateway.errors import Refusal, flawed
from gateway.services import services
from models.currency import Currency
from models.keyset import OPERATORS
from models.rules import money

CURSOR_SECONDS_MAX = 24 * 3600
"""A walk through a list ends within a day."""

CURSOR_LENGTH_MAX = 500


MOMENT = timedelta(microseconds=1)
"""The database's finest step, by which > becomes >= and <= becomes <."""


class Place(NamedTuple):
    """Where a page begins: rows older than `before`, or, going back, newer than `after`; neither is the newest."""

    before: str | None = None
    after: str | None = None


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        services().settings.secret_key,
        salt="cursor",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def _bond(query: Mapping[str, Any]) -> str:
    """What a cursor is tied to: the caller, the list and its filters, but not the length of the page."""
    filters = {name: value for name, value in query.items() if name not in ("cursor", "limit")}
    told = json.dumps([g.caller.id, request.path, filters], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def place(query: Mapping[str, Any]) -> Place:
    """Where the asked page begins; raises Refusal for a cursor that was not given out for this list."""
    cursor = query.get("cursor")
    if cursor is None:
        return Place()
    try:
        if len(cursor) > CURSOR_LENGTH_MAX:
            raise BadSignature("too long")
        bond, before, after = _serializer().loads(cursor, max_age=CURSOR_SECONDS_MAX)
    except BadSignature:
        raise Refusal("bad_cursor", "Use a cursor as it was given, within a day.") from None
    if bond != _bond(query):
        raise Refusal("bad_cursor", "This cursor was given for another list.")
    return Place(before, after)


def page(
    query: Mapping[str, Any],
    at: Place,
    rows: Sequence[Any],
    show: Callable[[Any], dict[str, Any]],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Body and Link header of the page; `rows` are up to limit + 1, oldest first if `at.after` is set."""
    limit = query["limit"]
    has_further = len(rows) > limit
    shown = list(rows[:limit])
    if at.after:
        shown.reverse()
    has_newer = has_further if at.after else at.before is not None
    has_older = True if at.after else has_further
    bond, seal = _bond(query), _serializer()
    following = seal.dumps([bond, shown[-1].id, None]) if shown and has_older else None
    preceding = seal.dumps([bond, None, shown[0].id]) if shown and has_newer else None
    body = {
        "data": [show(row) for row in shown],
        "has_more": following is not None,
        "next_cursor": following,
        "prev_cursor": preceding,
    }
    links = [
        f'<{request.path}?{urlencode({**request.args, "cursor": cursor})}>; rel="{relation}"'
        for relation, cursor in (("next", following), ("prev", preceding))
        if cursor
    ]
    return body, {"Link": ", ".join(links)} if links else {}


def bounds(query: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What the query bounds the value by: the word of OPERATORS to the bound."""
    return {word: query[f"{name}[{word}]"] for word in OPERATORS if f"{name}[{word}]" in query}


def span(query: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """When to be created: from (inclusive) and before; None is unbounded."""
    given = bounds(query, "created_at")
    since = [given.get("gte"), given["gt"] + MOMENT if "gt" in given else None]
    until = [given.get("lt"), given["lte"] + MOMENT if "lte" in given else None]
    return max(filter(None, since), default=None), min(filter(None, until), default=None)


def amounts(query: Mapping[str, Any], known: Currency) -> list[tuple[str, int]]:
    """The bounds of `amount` in minor units; raises Refusal."""
    found = []
    for word, text in bounds(query, "amount").items():
        try:
            found.append((word, money.parse(text, known.digits)))
        except money.MoneyError as error:
            raise flawed([(f"amount[{word}]", error.code, error.detail)], "parameter") from None
    return found
