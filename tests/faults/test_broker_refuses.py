"""The broker refuses, or says nothing: no worker ends of it, all go on by themselves, and end on a signal."""

import signal

import pytest
import redis

from celery_config import QUEUE_OF_KIND
from embedded.stack import STOP_SECONDS_MAX, Stack
from tests.e2e.state_machine.audit import scalar
from tests.faults.inject import assert_heartbeats, logged, stopped
from tests.support import eventually

pytestmark = pytest.mark.slow
WORKERS = ("posting", "housekeeping")
REFUSED = "Connection to broker lost"
"""Then, by the command that was refused, `server:ResponseError` or `server:ReadOnlyError`."""
REFUSED_SECONDS_MAX = 600
"""Some workers ask the broker once a minute only, and a busy machine is slow to log it."""
HEARD_LATELY = (
    "SELECT count(*) FROM worker_heartbeats WHERE name <> 'beat' AND heard_at > now() - interval '10 seconds'"
)

TRIED, TRIES = "Cannot connect to", 50
CONNECTIONS_MAX = 100
"""Of all processes of a stack; before, each worker left ten a second open."""

REFUSALS = {
    "refuses to write": (("CONFIG", "SET", "min-replicas-to-write", 1), ("CONFIG", "SET", "min-replicas-to-write", 0)),
    "follows another": (("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE")),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_broker_that_refuses_ends_no_worker(stack: Stack, refusal: str) -> None:
    before = {name: logged(stack, name, REFUSED) for name in WORKERS}
    tried = {name: logged(stack, name, TRIED) for name in WORKERS}
    begin, end = REFUSALS[refusal]
    with redis.Redis.from_url(stack.valkey.url()) as client:
        client.execute_command(*begin)
        try:
            eventually(
                lambda: all(logged(stack, name, REFUSED) > before[name] for name in WORKERS), REFUSED_SECONDS_MAX
            )
            eventually(lambda: any(logged(stack, name, TRIED) - tried[name] > TRIES for name in WORKERS))
            assert client.info("clients")["connected_clients"] < CONNECTIONS_MAX
        finally:
            client.execute_command(*end)
    assert_heartbeats(stack, QUEUE_OF_KIND, "heard_at")
    assert all(stack.processes[name].is_alive for name in WORKERS)


def test_who_is_told_to_end_while_it_is_frozen_ends(stack: Stack) -> None:
    workers = [stack.processes[name] for name in WORKERS]
    assert_heartbeats(stack, QUEUE_OF_KIND, "heard_at")
    with stopped(stack.broker.pid):
        eventually(lambda: scalar(stack, HEARD_LATELY) == 0, seconds=60)
        for worker in workers:
            worker.send(signal.SIGTERM)
        eventually(lambda: not any(worker.is_alive for worker in workers), seconds=STOP_SECONDS_MAX)
    for worker in workers:
        worker.start()
    assert_heartbeats(stack, QUEUE_OF_KIND, "heard_at")
