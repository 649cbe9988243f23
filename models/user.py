"""Users: their roles, names, addresses and passwords."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from models import keyset, pg_arrays
from models.keyset import START, Cursor
from models.records import record, records
from models.rules.blanks import fold_blanks

NAME_LENGTH_MAX = 100
EMAIL_LENGTH_MAX = 254
ENCODED_WORD = "=?"
"""Start of an encoded word in a mail header."""


def normal_email(text: str) -> str | None:
    """An e-mail address in its normal form, without surrounding blanks; None if its syntax is invalid.

    Encoded words are refused: a mail's header would be read as another address.
    """
    text = fold_blanks(text)
    if len(text) > EMAIL_LENGTH_MAX or ENCODED_WORD in text:
        return None
    try:
        normalized = validate_email(text, check_deliverability=False).normalized
    except (EmailNotValidError, UnicodeError):
        return None
    return normalized if len(normalized) <= EMAIL_LENGTH_MAX else None


class Role(StrEnum):
    """Role of a user."""

    CLIENT = "client"
    MERCHANT = "merchant"
    OPS = "ops"
    AUDITOR = "auditor"
    MEMBER = "member"
    """Acts for merchants, and has nothing of their own."""


class User(NamedTuple):
    """A user; `name` is shown to the other side of payments, `phone_number` is E.164."""

    id: str
    email: str
    role: str
    name: str
    first_name: str | None
    last_name: str | None
    phone_number: str | None
    url: str | None
    is_active: bool
    is_confirmed: bool
    created_at: datetime


USER = """
SELECT id::text, email, role, name, first_name, last_name, phone_number, url, is_active,
       email_confirmed_at IS NOT NULL AS is_confirmed, created_at
FROM users
"""


class NewUser(NamedTuple):
    """A customer who signs up."""

    id: str
    email: str
    role: Role
    name: str
    first_name: str
    last_name: str
    phone_number: str | None
    url: str | None
    password_hash: str


def sign_up(connection: Connection, new: NewUser) -> bool:
    """Store a customer, unconfirmed and to be onboarded; False if address or number is taken (see `taken_field`)."""
    result = connection.exec_driver_sql(
        "INSERT INTO users (id, email, role, name, first_name, last_name, phone_number, url, password_hash)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (*new[:2], new.role.value, *new[3:]),
    )
    return result.rowcount == 1


def create(connection: Connection, id: str, email: str, role: Role, name: str, *, is_welcomed: bool = True) -> bool:
    """Store a user whose address the operator vouches for; False if it is taken, ignoring case.

    Without `is_welcomed` a worker opens their wallets and pays their bonus.
    """
    result = connection.exec_driver_sql(
        "INSERT INTO users (id, email, role, name, email_confirmed_at, welcomed_at)"
        " VALUES (%s, %s, %s, %s, now(), CASE WHEN %s THEN now() END) ON CONFLICT DO NOTHING",
        (id, email, role.value, name, is_welcomed),
    )
    return result.rowcount == 1


def taken_field(connection: Connection, email: str, phone_number: str | None) -> str | None:
    """Which of the two another user has: "email", "phone_number" or None."""
    return connection.exec_driver_sql(
        "SELECT CASE WHEN EXISTS (SELECT FROM users WHERE lower(email) = lower(%s)) THEN 'email'"
        " WHEN EXISTS (SELECT FROM users WHERE phone_number = %s) THEN 'phone_number' END",
        (email, phone_number),
    ).scalar_one()


def by_id(connection: Connection, id: str) -> User | None:
    """The user, or None."""
    return record(User, connection.exec_driver_sql(f"{USER} WHERE id = %s", (id,)))


def by_email(connection: Connection, email: str) -> User | None:
    """The user with this address, ignoring case, or None."""
    return record(User, connection.exec_driver_sql(f"{USER} WHERE lower(email) = lower(%s)", (email,)))


def password_hash(connection: Connection, id: str) -> str | None:
    """Hash of the user's password; None if they have none."""
    return connection.exec_driver_sql("SELECT password_hash FROM users WHERE id = %s", (id,)).scalar_one()


def set_password(connection: Connection, id: str, password_hash: str) -> None:
    """Store the hash of a new password."""
    connection.exec_driver_sql("UPDATE users SET password_hash = %s WHERE id = %s", (password_hash, id))


def confirm_email(connection: Connection, id: str) -> None:
    """Record that the address is the user's."""
    connection.exec_driver_sql(
        "UPDATE users SET email_confirmed_at = now() WHERE id = %s AND email_confirmed_at IS NULL", (id,)
    )


def set_active(connection: Connection, id: str, is_active: bool) -> None:
    """Activate or deactivate the user."""
    connection.exec_driver_sql("UPDATE users SET is_active = %s WHERE id = %s", (is_active, id))


def change(
    connection: Connection, id: str, name: str, first_name: str | None, last_name: str | None,
    phone_number: str | None, url: str | None,
) -> bool:  # fmt: skip
    """Store the user's own details; False if another user has the number, and then the transaction is aborted."""
    try:
        connection.exec_driver_sql(
            "UPDATE users SET name = %s, first_name = %s, last_name = %s, phone_number = %s, url = %s WHERE id = %s",
            (name, first_name, last_name, phone_number, url, id),
        )
    except IntegrityError as error:
        if "users_phone_number_is_unique" in str(error.orig):
            return False
        raise
    return True


def change_merchant(connection: Connection, id: str, name: str, url: str | None) -> None:
    """Store what customers see of the merchant."""
    connection.exec_driver_sql("UPDATE users SET name = %s, url = %s WHERE id = %s", (name, url, id))


def merchants_among(connection: Connection, ids: Iterable[str]) -> set[str]:
    """The ids among these that are of merchants."""
    rows = connection.exec_driver_sql(
        "SELECT id::text FROM users WHERE id = ANY(%s::uuid[]) AND role = 'merchant'", (pg_arrays.plain(ids),)
    )
    return {row[0] for row in rows}


def lock(connection: Connection, id: str) -> None:
    """Lock the user's row until this transaction ends, waiting for others that hold it."""
    connection.exec_driver_sql("SELECT FROM users WHERE id = %s ORDER BY id FOR NO KEY UPDATE", (id,))


def page(
    connection: Connection,
    limit: int,
    at: Cursor = START,
    *,
    is_active: bool | None = True,
    role: str | None = None,
    email: str | None = None,
) -> list[User]:
    """Users, newest first."""
    conditions = {"is_active = %s": is_active, "role = %s": role, "lower(email) = lower(%s)": email}
    return keyset.page(connection, User, USER, conditions, limit, at, key="users.id")


def to_welcome(connection: Connection, limit: int) -> list[User]:
    """Users not onboarded yet, locked, oldest first, skipping those locked by another worker."""
    rows = connection.exec_driver_sql(
        f"{USER} WHERE welcomed_at IS NULL ORDER BY users.id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED", (limit,)
    )
    return records(User, rows)


def note_welcomed(connection: Connection, ids: list[str]) -> None:
    """Record that these users have been onboarded."""
    connection.exec_driver_sql(
        "UPDATE users SET welcomed_at = now() WHERE id = ANY(%s::uuid[])", (pg_arrays.plain(ids),)
    )
