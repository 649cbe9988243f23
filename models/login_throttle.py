"""Throttle of guesses at passwords and codes: each is counted before it is checked, so concurrent ones count too."""

import hashlib
from typing import NamedTuple

from sqlalchemy import Connection

WAIT_SECONDS_MAX = 900
FORGET_SECONDS = 3600
"""After this long without a guess the count starts again."""


class Subject(NamedTuple):
    """The subject that guesses are counted against, and its number of guesses without waiting."""

    hash: bytes
    free: int


def of_user(email: str) -> Subject:
    """The e-mail address of a login, whether or not such a user exists: 5 guesses, then waits of 1, 2, 4 … 900 s."""
    return Subject(hashlib.sha256(f"user {email.lower()}".encode()).digest(), 5)


def of_second_factor(user_id: str) -> Subject:
    """The second factor of a user, counted apart: a right password must not reset it."""
    return Subject(hashlib.sha256(f"second factor {user_id}".encode()).digest(), 5)


def of_address(address: str) -> Subject:
    """A network address, which many users may share."""
    return Subject(hashlib.sha256(f"address {address}".encode()).digest(), 50)


COUNT_ATTEMPT = """
INSERT INTO login_throttles AS t (subject, attempts, locked_until) VALUES (%(subject)s, 1, to_timestamp(0))
ON CONFLICT (subject) DO UPDATE SET
    attempts = CASE WHEN t.seen_at < now() - make_interval(secs => %(forget)s) THEN 1 ELSE t.attempts + 1 END,
    locked_until = CASE
        WHEN t.seen_at < now() - make_interval(secs => %(forget)s) OR t.attempts + 1 < %(free)s THEN to_timestamp(0)
        ELSE now() + make_interval(secs => least(%(most)s, 2 ^ least(t.attempts + 1 - %(free)s, 30))) END,
    seen_at = now()
WHERE t.locked_until <= now()
RETURNING 1
"""
"""Unlocked subjects have a time long past: with now(), a guess that began a moment earlier would have to wait."""


def count_attempt(connection: Connection, subject: Subject) -> float:
    """Count a guess; returns 0, or the seconds to wait before one is allowed (then it is not counted)."""
    taken = connection.exec_driver_sql(
        COUNT_ATTEMPT,
        {"subject": subject.hash, "free": subject.free, "most": WAIT_SECONDS_MAX, "forget": FORGET_SECONDS},
    ).first()
    if taken:
        return 0.0
    return connection.exec_driver_sql(
        "SELECT greatest(extract(epoch FROM max(locked_until) - now()), 0.001)::float FROM login_throttles"
        " WHERE subject = %s",
        (subject.hash,),
    ).scalar_one()  # max() returns a row even if the subject was just forgiven


def forgive(connection: Connection, subject: Subject) -> None:
    """Reset the subject after a correct guess."""
    connection.exec_driver_sql("DELETE FROM login_throttles WHERE subject = %s", (subject.hash,))


def give_back(connection: Connection, subject: Subject) -> None:
    """Undo the count of a correct guess; earlier ones still count."""
    connection.exec_driver_sql(
        "UPDATE login_throttles SET attempts = attempts - 1, locked_until = to_timestamp(0)"
        " WHERE subject = %s AND attempts > 1",
        (subject.hash,),
    )


def forget_old(connection: Connection) -> int:
    """Delete the subjects whose count would start again anyway; returns their number."""
    return connection.exec_driver_sql(
        "DELETE FROM login_throttles WHERE seen_at < now() - make_interval(secs => %s)", (FORGET_SECONDS,)
    ).rowcount
