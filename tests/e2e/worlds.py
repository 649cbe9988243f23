"""Where the state machine runs: in this process with a poster at hand, or on the whole stack with its workers."""

import secrets
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine, NullPool

from embedded.stack import Stack
from models.session import open_engine, transaction
from tests.e2e.crowd import Line
from tests.gateway.house import House, Person
from tests.support import eventually

POSTED_SECONDS_MAX = 30
UNDECIDED = """
SELECT (SELECT count(*) FROM payments WHERE state = 'INITIATED' AND due_at <= now())
     + (SELECT count(*) FROM payments WHERE state = 'AUTHORIZED' AND hold_expires_at <= now())
     + (SELECT count(*) FROM commands WHERE decided_at IS NULL)
"""


class Reply(NamedTuple):
    """What a request was answered."""

    status: int
    body: dict[str, Any]
    is_replay: bool


class World(Protocol):
    """Where the machine runs: whom it asks, and who posts."""

    posts_by_itself: bool
    owner: Engine

    def user(self, role: str) -> str:
        """A new user's bearer token."""

    def call(self, token: str, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        """One request."""

    def post(self) -> None:
        """Return when nothing is left to decide."""

    def execute(self, statement: str, *parameters: object) -> Any:
        """Run a statement as the owner; the first column of its rows."""


class Rehearsal(House):
    """The gateway in this process, and a poster when it is told to."""

    posts_by_itself = False

    def user(self, role: str) -> str:
        return self.person(role).token

    def call(self, token: str, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        headers = {"If-Match": "*"} if method == "PATCH" else {"Idempotency-Key": key} if key else {}
        answer = Person(self, "", token).call(method, path, json=body, headers=headers)
        return Reply(answer.status_code, answer.get_json(), "Idempotent-Replayed" in answer.headers)

    def post(self) -> None:
        self.post_payments()


class Performance:
    """The whole stack: its gateway answers, and its workers post as soon as they hear of it."""

    posts_by_itself = True

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.line = Line(stack)
        self.owner = open_engine(stack.database_url, NullPool)

    def user(self, role: str) -> str:
        return self.stack.create_user(f"{secrets.token_hex(8)}@example.com", role)["token"]

    def call(self, token: str, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        status, answer, headers = self.line.call(method, path, token, body, key, "*" if method == "PATCH" else None)
        return Reply(status, answer, "Idempotent-Replayed" in headers)

    def post(self) -> None:
        eventually(lambda: self.execute(UNDECIDED) == [0], POSTED_SECONDS_MAX, "nothing is left to decide")

    def execute(self, statement: str, *parameters: object) -> Any:
        with transaction(self.owner) as connection:
            result = connection.exec_driver_sql(statement, parameters)
            return [row[0] for row in result] if result.returns_rows else None
