"""The members of bodies: described, bounded by name where possible, and without schema defaults, which generators of
clients would take as always present."""

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
"""By `member` or `Schema.member`, for responses; requests are bounded by their fields."""


TIMES = "RFC 3339, with up to nine digits of a second; what is finer than microseconds is cut off."
"""The description of every time in a request."""


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
    """The table entry of this member of this schema, or else of every member of that name."""
    return table.get(f"{schema}.{member}", table.get(member, otherwise))


def with_default(schema: Schema, text: str) -> str:
    """The description with the default in words, not in the schema: generators make members with a default required."""
    default = schema.pop("default", None)
    if default is None:
        return text
    return f"{text} Default: `{default if isinstance(default, str) else json.dumps(default)}`."
