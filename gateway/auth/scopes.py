"""Scopes: what each role may call, and what a token may be granted beyond it."""

from models.membership import MemberRole
from models.user import Role

OWN_SCOPES = frozenset(
    {
        "me:read", "me:write", "sessions:read", "sessions:write", "second-factor:read", "second-factor:write",
    }
)  # fmt: skip
"""Scopes of a person who has nothing but themselves."""


BASE_SCOPES = OWN_SCOPES | {"payments:read", "wallets:read", "currencies:read", "api-keys:read", "api-keys:write"}
"""Scopes of every role: to read one's own resources and manage one's own account."""


CUSTOMER = BASE_SCOPES | {
    *("wallets:write", "transfers:write", "withdrawals:write", "deposits:own", "webhooks:read", "webhooks:write"),
}


READ_ALL = {"payments:read-all", "wallets:read-all", "ops:read", "webhooks:read"}


SCOPES: dict[str, frozenset[str]] = {
    Role.CLIENT: CUSTOMER,
    Role.MERCHANT: CUSTOMER
    | {
        *("charges:write", "bulks:write", "members:read", "members:write", "merchant:read", "merchant:write"),
    },
    Role.OPS: BASE_SCOPES
    | READ_ALL
    | {"deposits:write", "ops:retry", "ops:users", "ops:currencies", "ops:adjustments", "ops:commissions", "ops:rates"}
    | {"ops:reconciliations", "ops:breaches", "ops:payments", "ops:resolutions", "ops:freeze", "ops:pause"}
    | {"ops:webhooks", "ops:assignments", "ops:notes", "ops:views", "ops:shared-views"},
    Role.AUDITOR: BASE_SCOPES | READ_ALL | {"ops:views"},
    Role.MEMBER: OWN_SCOPES,
}
"""The scopes of each role; a token may have fewer."""


VIEWER = OWN_SCOPES | {
    *("payments:read", "wallets:read", "currencies:read", "webhooks:read", "api-keys:read", "members:read"),
    "merchant:read",
}

MEMBER_SCOPES: dict[str, frozenset[str]] = {
    MemberRole.OWNER: SCOPES[Role.MERCHANT],
    MemberRole.OPERATOR: VIEWER | {"charges:write"},
    MemberRole.VIEWER: VIEWER,
}
"""The most that a person who acts for a merchant may do, by their role there."""


def possible_scopes(role: str, member_role: str | None = None) -> frozenset[str]:
    """The scopes of a user with this role, or of who acts for one in a member's role."""
    return MEMBER_SCOPES[member_role] if member_role else SCOPES[role]


ENROLMENT_SCOPES = frozenset({"second-factor:read", "second-factor:write"})
"""Scopes of a session whose user must have a second factor, and has none."""


GRANTABLE_SCOPES = frozenset({"deposits:write"})
"""Scopes that a token may have although its role does not: depositing money from outside."""


MOVES_MONEY = frozenset(
    {"deposits:own", "deposits:write", "withdrawals:write", "transfers:write", "charges:write", "bulks:write"}
)
"""Scopes that take effect once the user has confirmed the e-mail address."""
