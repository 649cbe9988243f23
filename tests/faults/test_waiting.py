"""Redis stops, or PostgreSQL is started again, while many wait for their payments: they are answered all the same."""

import http.client
import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

import pytest
from sqlalchemy import NullPool

import settings
from embedded.stack import Stack
from gateway.outcomes.prefer import WAIT_SECONDS_MAX
from models.session import open_engine
from tests.e2e.state_machine.audit import scalar
from tests.e2e.state_machine.users import Answer, Order, StackUsers
from tests.faults.conftest import Reckon
from tests.faults.inject import as_superuser
from tests.support import eventually
from workers.posting.poster import Poster

pytestmark = pytest.mark.slow
WAITERS = 50
AFTER_COMMIT_SECONDS = 2.0
"""The promise: waiters are woken, and look each second themselves."""

AFTER_COMMIT_SECONDS_MAX = 8.0
"""Of the slowest, on a busy machine; a waiter that is never woken waits for WAIT_SECONDS_MAX."""

QUICK_SECONDS = 15.0
ACCEPTED, DONE = 202, 201

FINALIZED_AT = "SELECT extract(epoch FROM finalized_at)::float FROM payments WHERE id = '{}'"
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'payments_gateway' AND state <> 'idle'"
LINES = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'payments-waits'"


class Awaited(NamedTuple):
    """An answer that was waited for, and when it came."""

    answer: Answer
    at: float


def submit(stack: Stack, order: Order) -> Awaited:
    """Order it, and wait for its outcome, on a connection of its own."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(stack.bind, timeout=WAIT_SECONDS_MAX + QUICK_SECONDS)
    headers = {"Authorization": f"Bearer {order.token}", "Content-Type": "application/json"}
    headers |= {"Idempotency-Key": order.key, "Prefer": f"wait={WAIT_SECONDS_MAX}"}
    connection.request("POST", order.path, json.dumps(order.body), headers)
    response = connection.getresponse()
    body = json.loads(response.read())
    answered_at = time.time()
    connection.close()
    answer = Answer(order, response.status, body, dict(response.getheaders()), time.monotonic() - began)
    return Awaited(answer, answered_at)


@contextmanager
def waiting(stack: Stack, users: StackUsers) -> Iterator[list[Future[Awaited]]]:
    """WAITERS orders are stored and wait at the beginning of the block; all are answered at its end."""
    kept = "SELECT count(*) FROM payments"
    before = scalar(stack, kept)
    orders = [users.transfer(*users.clients[n % 8 : n % 8 + 2], "1.00") for n in range(WAITERS)]
    with ThreadPoolExecutor(WAITERS) as pool:
        answers = [pool.submit(submit, stack, order) for order in orders]
        eventually(lambda: scalar(stack, kept) == before + WAITERS, message="all are kept")
        eventually(lambda: as_superuser(stack, BUSY) == 0, message="the gateway was told of each commit")
        yield answers


def assert_answered_in_time(stack: Stack, results: list[Awaited]) -> None:
    """From the commit that made each payment final to its answer."""
    seconds = [result.at - scalar(stack, FINALIZED_AT.format(result.answer.payment_id)) for result in results]
    assert median(seconds) < AFTER_COMMIT_SECONDS
    assert max(seconds) < AFTER_COMMIT_SECONDS_MAX


def kill_the_posters(stack: Stack) -> None:
    """Kill the posters with the bells that they hold: from now on no payment is posted."""
    for poster in stack.doing("posting").values():
        poster.stop(signal.SIGKILL)


def start_the_posters(stack: Stack) -> None:
    for poster in stack.doing("posting").values():
        poster.start()


def post(stack: Stack) -> None:
    """Post at once, without a bell: a worker would have to be started first, while they wait."""
    Poster(open_engine(stack.role_url(settings.WORKER_ROLE), NullPool), deposits_open=True, linger_seconds=0).drain()


def test_redis_stopped(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    stack.valkey.kill()
    kill_the_posters(stack)
    try:
        with waiting(stack, users) as answers:
            assert not any(answer.done() for answer in answers)
            post(stack)
        results = [answer.result() for answer in answers]
    finally:
        stack.valkey.start()
        start_the_posters(stack)
    assert {result.answer.status for result in results} == {DONE}
    assert_answered_in_time(stack, results)
    reckoned([result.answer._replace(status=ACCEPTED) for result in results])


def test_the_database_started_again(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    kill_the_posters(stack)
    try:
        with waiting(stack, users) as answers:
            eventually(lambda: as_superuser(stack, LINES) > 0)
            stack.postgres.stop("immediate")
            stack.postgres.start()
            assert not any(answer.done() for answer in answers), "they wait on"
            post(stack)
        results = [answer.result() for answer in answers]
    finally:
        start_the_posters(stack)
    assert {result.answer.status for result in results} <= {DONE, ACCEPTED}
    assert max(result.answer.seconds for result in results) < WAIT_SECONDS_MAX + QUICK_SECONDS
    done = [result for result in results if result.answer.status == DONE]
    assert done, "the line has come back"
    assert_answered_in_time(stack, done)
    reckoned([result.answer._replace(status=ACCEPTED) for result in results])
    answer = users.connection.submit(users.transfer(*users.clients[:2], "1.00"))
    users.final(answer, seconds=60)  # the posters have begun
    again = submit(stack, users.transfer(*users.clients[:2], "1.00")).answer
    assert again.status == DONE
    assert again.seconds < QUICK_SECONDS
