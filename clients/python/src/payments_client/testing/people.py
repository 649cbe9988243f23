"""The fake's users and their tokens."""

from __future__ import annotations

import secrets
import string
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone

LETTERS = string.digits + string.ascii_letters

_OWN = {"me:read", "me:write", "sessions:read", "sessions:write", "second-factor:read", "second-factor:write"}
_BASE = _OWN | {"payments:read", "wallets:read", "currencies:read", "api-keys:read", "api-keys:write"}
_CLIENT = _BASE | {
    *("wallets:write", "transfers:write", "withdrawals:write", "deposits:own", "webhooks:read", "webhooks:write"),
}
_MERCHANT = {"charges:write", "bulks:write", "members:read", "members:write", "merchant:read", "merchant:write"}
SCOPES = {
    "client": frozenset(_CLIENT),
    "merchant": frozenset(_CLIENT | _MERCHANT),
    "ops": frozenset(_BASE | {"deposits:write", "ops:rates"}),
}
"""What the users of each role may do in the fake."""

MOVES_MONEY = frozenset(
    {"deposits:own", "deposits:write", "withdrawals:write", "transfers:write", "charges:write", "bulks:write"}
)
"""Needs a confirmed address."""


def now() -> datetime:
    """The time, aware."""
    return datetime.now(timezone.utc)


def new_id() -> str:
    """A new id."""
    return str(uuid.uuid4())


def new_secret(prefix: str) -> str:
    """A new token or code, as long as those of the API."""
    return prefix + "".join(secrets.choice(LETTERS) for _ in range(49))


@dataclass(eq=False)
class User:
    """Someone with tokens."""

    role: str
    name: str
    email: str = ""
    password: str = ""
    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None
    url: str | None = None
    is_confirmed: bool = True
    version: int = 1
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)


@dataclass(eq=False)
class Token:
    """A session or an API key; `scopes` None are all that the role has."""

    user: User
    kind: str
    name: str | None = None
    scopes: list[str] | None = None
    expires_at: datetime | None = None
    replaced_by: str | None = None
    user_agent: str | None = None
    idle_minutes: int | None = None
    last_used_at: datetime | None = None
    id: str = field(default_factory=new_id)
    text: str = field(default_factory=lambda: new_secret("pay_"))
    created_at: datetime = field(default_factory=now)

    @property
    def is_valid(self) -> bool:
        return self.expires_at is None or self.expires_at > now()

    @property
    def in_effect(self) -> frozenset[str]:
        """What it may do, an unconfirmed address apart."""
        possible = SCOPES[self.user.role]
        return possible if self.scopes is None else possible & set(self.scopes)
