"""Memberships: who may act for a merchant, and in which role; the user who signed up as the merchant is an owner."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from models import keyset, pg_arrays, token
from models.keyset import START, Cursor
from models.records import record, records


class MemberRole(StrEnum):
    """What a member may do for the merchant."""

    OWNER = "owner"
    """Everything, other members included."""
    OPERATOR = "operator"
    """Read; charge, capture, void, cancel and refund."""
    VIEWER = "viewer"
    """Read."""


class Member(NamedTuple):
    """A member of a merchant; `id` is that of the user."""

    id: str
    email: str
    name: str
    role: str
    is_active: bool
    has_second_factor: bool
    created_at: datetime


MEMBERS = """
SELECT m.user_id::text AS id, u.email, u.name, m.role, u.is_active,
       EXISTS (SELECT FROM second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS has_second_factor,
       m.created_at
FROM memberships m JOIN users u ON u.id = m.user_id
"""


def find(connection: Connection, merchant_id: str, user_id: str) -> Member | None:
    """A member of the merchant, or None."""
    rows = connection.exec_driver_sql(f"{MEMBERS} WHERE m.merchant_id = %s AND m.user_id = %s", (merchant_id, user_id))
    return record(Member, rows)


def page(connection: Connection, merchant_id: str, limit: int, at: Cursor = START) -> list[Member]:
    """The members of the merchant; the newest users first."""
    return keyset.page(connection, Member, MEMBERS, {"m.merchant_id = %s": merchant_id}, limit, at, key="m.user_id")


def has_member(connection: Connection, merchant_id: str, email: str, role: str | None = None) -> bool:
    """Whether the user with this address is a member of the merchant, in this role."""
    return connection.exec_driver_sql(
        "SELECT EXISTS (SELECT FROM memberships m JOIN users u ON u.id = m.user_id"
        " WHERE m.merchant_id = %s AND lower(u.email) = lower(%s) AND m.role = coalesce(%s, m.role))",
        (merchant_id, email, role),
    ).scalar_one()


class Membership(NamedTuple):
    """A merchant whom a user may act for."""

    id: str
    name: str
    role: str
    is_active: bool
    created_at: datetime


def of_user(connection: Connection, user_id: str) -> list[Membership]:
    """The merchants whom the user may act for, the one they have acted for longest first."""
    rows = connection.exec_driver_sql(
        "SELECT m.merchant_id::text AS id, u.name, m.role, u.is_active, m.created_at"
        " FROM memberships m JOIN users u ON u.id = m.merchant_id WHERE m.user_id = %s ORDER BY m.created_at, id",
        (user_id,),
    )
    return records(Membership, rows)


def add(connection: Connection, merchant_id: str, user_id: str, role: str) -> bool:
    """Make the user a member; False if they are one already."""
    added = connection.exec_driver_sql(
        "INSERT INTO memberships (merchant_id, user_id, role) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (merchant_id, user_id, role),
    )
    return added.rowcount == 1


def lock(connection: Connection, merchant_id: str, user_id: str, *, with_owners: bool = False) -> None:
    """Lock merchant and member, before their membership changes, as sign-in locks its user; and the owners of now."""
    connection.exec_driver_sql(
        "SELECT FROM users WHERE id IN (SELECT unnest(%s::uuid[]) UNION SELECT user_id FROM memberships"
        " WHERE merchant_id = %s AND role = 'owner' AND %s) ORDER BY id FOR NO KEY UPDATE",
        (pg_arrays.plain([merchant_id, user_id]), merchant_id, with_owners),
    )


def has_active_owner(connection: Connection, merchant_id: str) -> bool:
    """Whether an owner of the merchant may sign in."""
    return connection.exec_driver_sql(
        "SELECT EXISTS (SELECT FROM memberships m JOIN users u ON u.id = m.user_id"
        " WHERE m.merchant_id = %s AND m.role = 'owner' AND u.is_active)",
        (merchant_id,),
    ).scalar_one()


def is_last_owner(connection: Connection, merchant_id: str, user_id: str) -> bool:
    """Whether no other user is an owner of the merchant, who is locked."""
    return connection.exec_driver_sql(
        "SELECT NOT EXISTS (SELECT FROM memberships WHERE merchant_id = %s AND user_id <> %s AND role = 'owner')",
        (merchant_id, user_id),
    ).scalar_one()


def change_role(connection: Connection, merchant_id: str, user_id: str, role: str) -> None:
    """Give the member another role, which narrows their tokens from now on."""
    connection.exec_driver_sql(
        "UPDATE memberships SET role = %s WHERE merchant_id = %s AND user_id = %s", (role, merchant_id, user_id)
    )


def remove(connection: Connection, merchant_id: str, user_id: str) -> list[str]:
    """End the membership; returns the ids of the user's sessions and keys for this merchant, which end too.

    Call `lock` first.
    """
    connection.exec_driver_sql(
        "DELETE FROM memberships WHERE merchant_id = %s AND user_id = %s", (merchant_id, user_id)
    )
    return token.revoke_for(connection, user_id, merchant_id)
