"""Completes the members of bodies: a description of each, bounds by name, and defaults as text.

A default in a schema would make generated clients take the member as always present.
"""

import json
from collections.abc import Mapping
from typing import Any

from gateway.http.fields import WalletToken
from gateway.http.openapi.descriptions import DESCRIPTIONS
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
"""By `member` or `Schema.member`, for responses; requests are bounded by their fields."""


TIMES = "RFC 3339, with up to nine digits of a second; what is finer than microseconds is cut off."
"""The description of every time in a request."""


def describe(schemas: dict[str, Schema]) -> None:
    """Describe every member of every schema."""
    for name, schema in schemas.items():
        for member, member_schema in schema.get("properties", {}).items():
            for key, value in entry_of(BOUNDS, name, member, {}).items():
                member_schema.setdefault(key, value)
            text = member_schema.get("description") or entry_of(DESCRIPTIONS, name, member, "")
            if member_schema.get("format") == "date-time" and name.endswith(("Input", "Change")):
                text = f"{text} {TIMES}"
            member_schema["description"] = with_default(member_schema, text)


def entry_of(table: dict[str, Any], schema: str, member: str, default: Any) -> Any:
    """The table entry of this member of this schema, or else of every member of that name."""
    return table.get(f"{schema}.{member}", table.get(member, default))


def with_default(schema: Schema, text: str) -> str:
    """The description with the default in words, not in the schema: generators make members with a default required."""
    default = schema.pop("default", None)
    if default is None:
        return text
    return f"{text} Default: `{default if isinstance(default, str) else json.dumps(default)}`."
