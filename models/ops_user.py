"""A user as ops see them: members, wallets, sessions, keys, newest payments, what was done by and to them."""

from typing import NamedTuple

from sqlalchemy import Connection

from models import audit, freeze, invitation, membership, ops_account, ops_payment, token, user
from models.audit import Actor, AuditEntry
from models.freeze import FreezeTarget
from models.invitation import Invitation
from models.membership import Member
from models.ops_account import OpsAccount
from models.ops_payment import ListedPayment
from models.payment_stuck import StuckFilter
from models.token import TokenRecord
from models.user import User

SHOWN_MAX = 20
"""Of each list; the rest is in the list itself, by the user as a filter."""


ENDED = {token.SESSION: "sessions.end", token.API_KEY: "api_keys.end"}
"""The audit action for the end of a token, by its kind."""


class OpsUser(NamedTuple):
    """The user and the newest of what is theirs; wallets include inactive ones, with their charge limits."""

    user: User
    is_frozen: bool
    members: list[Member]
    invitations: list[Invitation]
    wallets: list[OpsAccount]
    sessions: list[TokenRecord]
    api_keys: list[TokenRecord]
    payments: list[ListedPayment]
    audit: list[AuditEntry]


def by_id(connection: Connection, id: str) -> OpsUser | None:
    """The user, or None. Payments are those from and to their wallets."""
    found = user.by_id(connection, id)
    if found is None:
        return None
    frozen = freeze.newest(connection, FreezeTarget(user_id=id))
    theirs = StuckFilter(is_of_all=True, merchant_id=id)
    return OpsUser(
        found,
        frozen is not None and frozen.thawed_at is None,
        membership.page(connection, id, SHOWN_MAX),
        invitation.page(connection, id, SHOWN_MAX),
        ops_account.page(connection, SHOWN_MAX, owner_id=id, is_active=None),
        token.page(connection, id, token.SESSION, SHOWN_MAX),
        token.page(connection, id, token.API_KEY, SHOWN_MAX),
        list(ops_payment.page(connection, SHOWN_MAX, which=theirs).rows),
        audit.of_person(connection, id, SHOWN_MAX),
    )


IS_THEIRS = "SELECT EXISTS (SELECT FROM tokens WHERE id = %s AND user_id = %s AND kind = %s)"
"""Whether it is a token of the user, ended or not."""


def end_tokens(
    connection: Connection, user_id: str, kind: str, actor: Actor, reason: str, id: str | None = None
) -> list[str]:
    """End the user's sessions or API keys, or the one with this id; returns the ids of those that had not ended yet.

    Raises KeyError if the user has no such token.
    """
    if id is not None and not connection.exec_driver_sql(IS_THEIRS, (id, user_id, kind)).scalar_one():
        raise KeyError(id)
    ended = token.revoke(connection, user_id, kind, id)
    if ended:
        audit.note(connection, actor, ENDED[kind], user_id, reason, after={"ended": ended})
    return ended
