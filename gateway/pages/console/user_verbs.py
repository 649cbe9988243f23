"""The verbs of a user: each is a request of the API that ops may send about a person."""

from gateway.pages.verbs import REASON, Verb, VerbField

USER = "/v1/ops/users/{id}"
OPS_USERS, OPS_FREEZE = "ops:users", "ops:freeze"
FREEZES = "/v1/ops/freezes"

VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "freeze",
            "Freeze",
            "Payments from and to each of their wallets fail until it is thawed.",
            FREEZES,
            OPS_FREEZE,
            is_dangerous=True,
        ),
        Verb(
            "thaw",
            "Thaw",
            "Payments from and to their wallets are posted again.",
            f"{FREEZES}/{{id}}/thaw",
            OPS_FREEZE,
        ),
        Verb(
            "deactivate",
            "Deactivate",
            "None of their sessions and keys works any more, and nothing is ordered from or to their wallets.",
            USER,
            OPS_USERS,
            is_dangerous=True,
            method="PATCH",
            body={"is_active": False},
        ),
        Verb(
            "activate",
            "Activate",
            "They may sign in and order payments again.",
            USER,
            OPS_USERS,
            method="PATCH",
            body={"is_active": True},
        ),
        Verb(
            "end-sessions",
            "End all sessions",
            "They are signed out everywhere; keys stay valid.",
            f"{USER}/end-sessions",
            OPS_USERS,
            is_dangerous=True,
        ),
        Verb(
            "end-api-keys",
            "End all API keys",
            "None of their servers gets in any more, until they make a new key.",
            f"{USER}/end-api-keys",
            OPS_USERS,
            is_dangerous=True,
        ),
        Verb(
            "reset-second-factor",
            "Reset second factor",
            "They set up a new one after their password; all their sessions end. Make sure first who asks.",
            f"{USER}/reset-second-factor",
            OPS_USERS,
            is_dangerous=True,
        ),
        Verb(
            "invite-owner",
            "Invite an owner",
            "Who has this address may act for the merchant in all things, once they accept. Make sure first who asks.",
            f"{USER}/invitations",
            OPS_USERS,
            (VerbField("email", "E-mail", "email", hint="A member with this address becomes an owner."), REASON),
            is_dangerous=True,
        ),
        Verb(
            "withdraw-owner",
            "Withdraw",
            "The token of its mail is invalid at once.",
            "/v1/ops/invitations/{id}/withdraw",
            OPS_USERS,
            is_dangerous=True,
        ),
    )
}
"""By name, in the order in which they are offered."""

ONE_OF = {
    "session": ("end-sessions", "session"),
    "api-key": ("end-api-keys", "api_key"),
}
"""The verb and the member of its body that end one session or key alone."""
