"""Where the state machine runs: in this process with a poster at hand, or on the whole stack with its workers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import pytest
from sqlalchemy import Engine

import bell
import settings
from embedded.stack import Stack
from models.bank_return import Return
from models.payout import Payout
from models.session import open_engine, transaction
from tests.e2e.state_machine.users import GatewayConnection, new_tokens
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, eventually
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState
from workers.rails.payouts import PayoutSender

POSTED_SECONDS_MAX = 300
UNDECIDED = """
SELECT (id, type, state, due_at, attempts, last_error)::text FROM payments
WHERE (state = 'INITIATED' AND (due_at <= now() OR attempts > 0))
   OR (state = 'AUTHORIZED' AND (hold_expires_at <= now() OR type = 'withdrawal'))
UNION ALL SELECT (id, kind, payment_id)::text FROM commands WHERE decided_at IS NULL
"""


class Reply(NamedTuple):
    """The answer to a request."""

    status: int
    body: dict[str, Any]
    is_replay: bool


class World(Protocol):
    """Where the machine runs: whom it asks, and who posts."""

    posts_by_itself: bool
    owner: Engine
    worker: Engine
    troubles: list[Exception]

    def users(self, roles: Sequence[str]) -> list[str]:
        """The bearer tokens of new users."""

    def call(self, token: str, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        """One request."""

    def post(self) -> None:
        """Return when nothing is left to decide."""

    def ring(self) -> None:
        """Wake the posters: time has passed, and they would sweep later."""

    def execute(self, statement: str, *parameters: object) -> Any:
        """Run a statement as the owner; the first column of its rows."""


class ConfirmingBank:
    """A bank that executes every payout."""

    name, batch_max = "confirming", 100

    def submit(self, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        return {payout.payment_id: PayoutAnswer(PayoutState.CONFIRMED) for payout in payouts}

    inquire = submit

    def updates(self, position: str) -> tuple[list[BankUpdate | Return], str]:
        return [], position


class InProcessEnvironment(ApiHarness):
    """The gateway in this process, and a poster that runs on demand."""

    posts_by_itself = False

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.troubles: list[Exception] = []
        self.owner, self.worker = open_engine(database.owner), open_engine(database.worker)

    def users(self, roles: Sequence[str]) -> list[str]:
        return [self.person(role).token for role in roles]

    def call(self, token: str, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        headers = {"If-Match": "*"} if method == "PATCH" else {"Idempotency-Key": key} if key else {}
        answer = ApiUser(self, "", token).call(method, path, json=body, headers=headers)
        return Reply(answer.status_code, answer.get_json(), "Idempotent-Replayed" in answer.headers)

    def post(self) -> int:
        posted = super().post_payments()
        ended, _ = PayoutSender(self.worker, ConfirmingBank()).drain()
        return posted + super().post_payments() if ended else posted

    def ring(self) -> None:
        pass


class StackEnvironment:
    """The whole stack: its gateway answers, and its workers post as soon as they hear of it."""

    posts_by_itself = True

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.troubles: list[Exception] = []
        self.connection = GatewayConnection(stack)
        self.owner = open_engine(stack.database_url)
        self.worker = open_engine(stack.role_url(settings.WORKER_ROLE))

    def users(self, roles: Sequence[str]) -> list[str]:
        return new_tokens(self.stack, roles)

    def call(self, token: str, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        status, answer, headers = self.connection.call(
            method, path, token, body, key, "*" if method == "PATCH" else None
        )
        return Reply(status, answer, "Idempotent-Replayed" in headers)

    def post(self) -> None:
        try:
            eventually(lambda: self.execute(UNDECIDED) == [], POSTED_SECONDS_MAX)
        except AssertionError:
            pytest.fail(f"not decided within {POSTED_SECONDS_MAX} s: {self.execute(UNDECIDED)}")

    def close(self) -> None:
        self.connection.close()
        for engine in (self.owner, self.worker):
            engine.dispose()

    def ring(self) -> None:
        bell.publish()

    def execute(self, statement: str, *parameters: object) -> Any:
        with transaction(self.owner) as connection:
            result = connection.exec_driver_sql(statement, parameters)
            return [row[0] for row in result] if result.returns_rows else None
