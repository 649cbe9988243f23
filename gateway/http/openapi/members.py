"""The members of bodies: each is described, bounded where its name says how, and none has a default that a generator
of clients would take for a promise."""

import json
from collections.abc import Mapping
from typing import Any

from gateway.http.fields import WalletToken
from gateway.http.openapi.vocabulary import MEMBERS
from gateway.http.page_fields import CursorField
from models import token
from models.rules.webhook_url import URL_LENGTH_MAX

Schema = dict[str, Any]

BOUNDS: dict[str, Mapping[str, Any]] = {
    "next_cursor": CursorField().metadata,
    "prev_cursor": CursorField().metadata,
    "token": {"pattern": token.PATTERN, "maxLength": token.LENGTH},
    "Wallet.token": WalletToken().metadata,
    "wallet": WalletToken().metadata,
    "url": {"format": "uri", "maxLength": URL_LENGTH_MAX},
}
"""By `member` or `Schema.member`, for answers; what is sent is bounded by its field."""


TIMES = "RFC 3339, with up to nine digits of a second; what is finer than microseconds is cut off."
"""Of every time that is sent."""


def describe(schemas: dict[str, Schema]) -> None:
    """Describe every member of every schema."""
    for name, schema in schemas.items():
        for member, described in schema.get("properties", {}).items():
            for key, value in said_of(BOUNDS, name, member, {}).items():
                described.setdefault(key, value)
            text = described.get("description") or said_of(MEMBERS, name, member, "")
            if described.get("format") == "date-time" and name.endswith(("Input", "Change")):
                text = f"{text} {TIMES}"
            described["description"] = with_default(described, text)


def said_of(table: dict[str, Any], schema: str, member: str, otherwise: Any) -> Any:
    """What the table says of this member of this schema, or else of every member of that name."""
    return table.get(f"{schema}.{member}", table.get(member, otherwise))


def with_default(schema: Schema, text: str) -> str:
    """The description, with the default in words instead of in the schema: generators make what has one required."""
    default = schema.pop("default", None)
    if default is None:
        return text
    return f"{text} Default: `{default if isinstance(default, str) else json.dumps(default)}`."
