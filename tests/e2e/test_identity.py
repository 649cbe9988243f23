"""A customer's way in and out on a real stack: signed up, mailed, confirmed, welcomed, shut out; and no secret kept."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, create_engine

from embedded.postgres import SUPERUSER
from embedded.stack import Stack
from models import invariants
from models.session import transaction
from tests.e2e.customers import PATIENCE_SECONDS, Customer, call
from tests.e2e.state_machine.audit import owner, scalar
from tests.e2e.state_machine.users import GatewayConnection, new_tokens
from tests.faults.inject import stopped
from tests.support import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LINES = 8
"""Connections by which a token is used at once: more than enough to reach both processes of the gateway."""
FRESH = 30
DEAD_SECONDS = 1.0
PAUSE_SECONDS = 0.08
"""Between two uses of a token by one connection: all of them together use it each hundredth of a second."""
EXPIRES_SECONDS = 8
"""Time enough to see it work first."""
SOON_SECONDS = 15
"""On a busy machine; who waits for what is away is not answered by then."""
NEWCOMERS = 30
KILLS = 3


@pytest.fixture(scope="module")
def stack_settings() -> dict[str, str]:
    return {"WELCOME_BONUS": "100 USD", "GATEWAY_WORKERS": "2"}


@contextmanager
def in_use(stack: Stack, token: str) -> Iterator[list[tuple[float, int]]]:
    """The token used all the time, by many connections: (when it was sent, status) of each use."""
    seen: list[tuple[float, int]] = []
    enough = threading.Event()

    def use_it() -> None:
        with closing(GatewayConnection(stack)) as connection:
            while not enough.wait(PAUSE_SECONDS):
                sent_at = time.monotonic()
                seen.append((sent_at, connection.call("GET", "/v1/me", token)[0]))

    with ThreadPoolExecutor(LINES) as threads:
        uses = [threads.submit(use_it) for _ in range(LINES)]
        try:
            yield seen
        finally:
            enough.set()
        for future in uses:
            future.result()


def assert_dies(stack: Stack, token: str, end: Callable[[], None], status: int = HTTPStatus.UNAUTHORIZED) -> None:
    """A token in use everywhere is refused everywhere within a second of its end."""
    with in_use(stack, token) as seen:
        eventually(lambda: len(seen) > LINES * 5, PATIENCE_SECONDS)
        assert {status for _, status in seen.copy()} == {HTTPStatus.OK}
        end()
        dead_from = time.monotonic() + DEAD_SECONDS
        eventually(lambda: sum(sent_at > dead_from for sent_at, _ in seen) > LINES * 5, PATIENCE_SECONDS)
    assert {status for sent_at, status in seen if sent_at >= dead_from} == {status}
    with ThreadPoolExecutor(LINES) as threads:
        assert set(threads.map(lambda _: call(stack, "GET", "/v1/me", token)[0], range(FRESH))) == {status}


def bonuses(stack: Stack, user_id: str) -> list[tuple[str, int]]:
    """State and number of operations of each bonus of the user's."""
    with transaction(owner(stack)) as connection:
        rows = connection.exec_driver_sql(
            "SELECT state, (SELECT count(*) FROM operations o WHERE o.payment_id = p.id) FROM payments p"
            " WHERE type = 'bonus' AND user_id = %s",
            (user_id,),
        )
        return [tuple(row) for row in rows]


@pytest.fixture(scope="module")
def bob(stack: Stack) -> Customer:
    """A user who exists already."""
    return Customer(stack)


@pytest.fixture(scope="module")
def ops(stack: Stack) -> str:
    """The token of an operator."""
    [token] = new_tokens(stack, ["ops"])
    Customer.secrets.append(token)
    return token


def test_from_sign_up_to_the_first_payment(stack: Stack, bob: Customer) -> None:
    carol = Customer(stack)
    session = carol.log_in()
    wallets = carol.wallets(session)
    assert set(wallets) == {"USD", "EUR", "CNY"}
    eventually(lambda: bonuses(stack, carol.id) == [("COMPLETED", 2)], PATIENCE_SECONDS)
    assert carol.wallets(session)["USD"]["balance"] == "100.00"
    order = {
        "source": wallets["USD"]["token"],
        "target": bob.wallets(bob.log_in())["USD"]["token"],
        "amount": "30.00",
        "currency": "USD",
    }
    status, problem = call(stack, "POST", "/v1/transfers", session, order)
    assert (status, problem["code"]) == (HTTPStatus.FORBIDDEN, "email_unconfirmed")
    carol.confirm()

    def accepted() -> dict[str, Any] | None:
        status, payment = call(stack, "POST", "/v1/transfers", session, order)
        return payment if status == HTTPStatus.ACCEPTED else None

    payment = eventually(accepted, SOON_SECONDS, "money moves at once after the confirmation")
    path = f"/v1/payments/{payment['id']}"
    eventually(lambda: call(stack, "GET", path, session)[1]["state"] == "COMPLETED", PATIENCE_SECONDS)
    assert carol.wallets(session)["USD"]["balance"] == "70.00"
    used_again, _ = call(stack, "POST", "/v1/confirmations", body={"token": carol.mailed()})
    assert used_again >= HTTPStatus.BAD_REQUEST


def test_merchant_gets_mail_but_no_wallet(stack: Stack) -> None:
    """Sign-up of merchants is tested at the gateway; here that the workers leave them alone."""
    body = {"first_name": "Sam", "last_name": "Shop", "name": "Corner Shop", "url": "https://shop.example"}
    email, password = f"{uuid4()}@example.com", f"correct horse {uuid4()}"
    Customer.secrets.append(password)
    body |= {"email": email, "password": password, "phone_number": f"+1415{2_900_000}"}
    status, user = call(stack, "POST", "/v1/merchants", body=body)
    assert status == HTTPStatus.CREATED, user
    welcomed = f"SELECT count(*) FROM users WHERE id = '{user['id']}' AND welcomed_at IS NOT NULL"
    eventually(lambda: scalar(stack, welcomed) == 1, PATIENCE_SECONDS)
    assert scalar(stack, f"SELECT count(*) FROM accounts WHERE owner_id = '{user['id']}'") == 0
    assert bonuses(stack, user["id"]) == []


@pytest.mark.parametrize("redis", ["alive", "frozen"])
def test_what_is_ended_is_dead_everywhere_within_a_second(stack: Stack, bob: Customer, ops: str, redis: str) -> None:
    carol = Customer(stack)
    session = carol.log_in()
    revoked, rolled = carol.api_key(session), carol.api_key(session)
    another = carol.log_in()
    expires_at = datetime.now(UTC) + timedelta(seconds=EXPIRES_SECONDS)
    expiring = carol.api_key(session, expires_at=expires_at.isoformat().replace("+00:00", "Z"))

    def revoke() -> None:
        assert call(stack, "DELETE", f"/v1/api-keys/{revoked['id']}", session)[0] == HTTPStatus.NO_CONTENT

    def roll() -> None:
        status, key = call(stack, "POST", f"/v1/api-keys/{rolled['id']}/roll", session, {"overlap_seconds": 0})
        assert status == HTTPStatus.CREATED, key
        carol.kept(key["token"])
        assert call(stack, "GET", "/v1/me", key["token"])[0] == HTTPStatus.OK

    def expire() -> None:
        eventually(lambda: datetime.now(UTC) > expires_at, PATIENCE_SECONDS)

    def log_out() -> None:
        assert call(stack, "DELETE", "/v1/sessions/current", another)[0] == HTTPStatus.NO_CONTENT

    def deactivate() -> None:
        change = {"is_active": False, "reason": "as a test"}
        assert call(stack, "PATCH", f"/v1/ops/users/{carol.id}", ops, change)[0] == HTTPStatus.OK

    def run() -> None:
        assert_dies(stack, expiring["token"], expire)
        assert_dies(stack, revoked["token"], revoke)
        assert_dies(stack, rolled["token"], roll)
        assert_dies(stack, another, log_out)
        assert call(stack, "GET", "/v1/me", session)[0] == HTTPStatus.OK, "the other device stays signed in"
        assert_dies(stack, session, deactivate, HTTPStatus.FORBIDDEN)

    if redis == "alive":
        run()
    else:
        with stopped(stack.valkey.pid):
            run()


def test_signed_up_while_redis_is_dead(stack: Stack) -> None:
    stack.valkey.kill()
    carol = Customer(stack)
    assert time.monotonic() - carol.signed_up_at < SOON_SECONDS
    session = carol.log_in()
    stack.valkey.start()
    assert set(carol.wallets(session)) == {"USD", "EUR", "CNY"}, "the timetable found them"
    eventually(lambda: bonuses(stack, carol.id) == [("COMPLETED", 2)], PATIENCE_SECONDS)
    carol.confirm()


def test_upkeep_killed_while_they_sign_up(stack: Stack) -> None:
    [upkeep], killed = stack.doing("upkeep").values(), []
    with ThreadPoolExecutor(3) as threads:
        signing_up = [threads.submit(Customer, stack) for _ in range(NEWCOMERS)]
        for number in range(1, KILLS + 1):
            eventually(lambda n=number: sum(future.done() for future in signing_up) >= n * NEWCOMERS // (KILLS + 1), 60)
            killed.append(upkeep.pid)
            upkeep.kill()
            upkeep.start()
        customers = [future.result() for future in signing_up]
    assert len(set(killed)) == KILLS
    for customer in customers:
        eventually(lambda id=customer.id: bonuses(stack, id) == [("COMPLETED", 2)], 2 * PATIENCE_SECONDS)
        wallets = customer.wallets(customer.log_in())
        assert {code: wallet["balance"] for code, wallet in wallets.items()} == {
            "USD": "100.00",
            "EUR": "0.00",
            "CNY": "0.00",
        }
        customer.mailed()
    with transaction(owner(stack)) as connection:
        assert invariants.violations(connection) == []


def test_no_secret_is_in_a_log_a_table_or_redis(stack: Stack, bob: Customer) -> None:
    """Last: it looks for every password and token that the tests above used."""
    bob.confirm()
    session = bob.log_in()
    call(stack, "POST", "/v1/sessions", body={"email": bob.email, "password": Customer.secrets[0] + "x"})
    call(stack, "POST", "/v1/sessions", session, {"email": bob.email, "password": [bob.password]})
    call(stack, "GET", f"/v1/wallets/{session}", session)
    call(stack, "GET", f"/v1/wallets/{bob.wallets(session)['EUR']['token']}", session)
    call(stack, "POST", "/v1/confirmations", body={"token": session})
    places = {path.name: path.read_bytes() for path in (stack.home.path / "logs").iterdir()}
    places |= {path.name: path.read_bytes() for path in (stack.home.path / "valkey").rglob("*") if path.is_file()}
    with create_engine(stack.postgres.url(role=SUPERUSER), poolclass=NullPool).connect() as connection:
        tables = connection.exec_driver_sql(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        )
        for (table,) in tables.all():
            rows = connection.exec_driver_sql(f"SELECT t::text FROM {table} AS t").scalars()
            places[table] = "\n".join(rows).encode()
    assert bob.email.encode() in places["users"], "what is there is found"
    assert any(b"welcomed" in places[f"{name}.log"] for name in stack.doing("upkeep"))
    assert len(Customer.secrets) > NEWCOMERS
    found = {(name, secret) for name, text in places.items() for secret in Customer.secrets if secret.encode() in text}
    assert found == set()
    wallet = bob.wallets(session)["EUR"]["token"]
    assert not [name for name in places if name.endswith(".log") and wallet.encode() in places[name]]
    shown = f"/v1/wallets/wal_...{wallet[-4:]}".encode()
    eventually(lambda: shown in (stack.home.path / "logs" / "gateway.log").read_bytes(), message="it is logged, masked")
