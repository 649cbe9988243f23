"""No message ends a worker: 500 of all kinds in each queue, while all wait for bells."""

import base64
import copy
import json
import random
from collections.abc import Callable, Iterator

import pytest
import redis

from celery_config import INSTRUCT, POST, QUEUE_OF_KIND, QUEUES
from embedded.stack import Stack
from tests.e2e.state_machine.users import StackUsers
from tests.faults.conftest import Reckon
from tests.faults.inject import assert_heartbeats, logged
from tests.support import eventually

pytestmark = pytest.mark.slow
MESSAGES = 500
WORKERS = ("posting", "housekeeping")
DROPPED = "message dropped"
LONG_AGO = 1.0
"""As a time of an unacknowledged message: its worker died."""

VALUES = (
    *(
        None,
        True,
        0,
        -1,
        42,
        1e308,
        10**30,
        "",
        "x",
        "x" * 5_000,
        "\x00",
        "\ud800",
        [],
        [[]],
        [None] * 3,
        {},
        {"a": {"b": []}},
    ),
    *("9999-12-31T23:59:59.999999Z", "-1", "yesterday", "workers.tasks.post", "celery.map", "__import__"),
    *(
        {"__type__": "datetime", "__value__": "x"},
        {"__type__": "uuid", "__value__": []},
        {"__type__": [], "__value__": 1},
    ),
)
RAW = (
    *(
        b"42",
        b"",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b"{}",
        b'"bell"',
        b"{",
        b"[" * 12_000,
        b'{"a":' * 3_000,
        b"9" * 6_000,
    ),
    *(b'{"properties": null}', b'{"properties": {}}', b'{"properties": {"delivery_tag": 1}, "headers": []}'),
    *(b'{"body": "MQ==", "properties": {"delivery_tag": "a", "body_encoding": "rot13"}, "headers": {"task": "x"}}',),
)
CONTENTS = (
    b"42",
    b"null",
    b"[]",
    b"{}",
    b"[[]]",
    b'"abc"',
    b"[1,2,3]",
    b"[[],{},42]",
    b"[[],{},{},{}]",
    b"\xff",
    b"[" * 9_000,
)
"""Of bodies, behind base64."""


def envelope(task: str, queue: str) -> dict:
    """As Celery and kombu would write a bell of this task."""
    return {
        "body": base64.b64encode(b"[[], {}, {}]").decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            **{"task": task, "id": "0", "retries": 0, "eta": None, "expires": None, "timelimit": [None, None]},
            **{"lang": "py", "root_id": "0", "parent_id": None, "group": None, "shadow": None, "origin": "x"},
            **{"argsrepr": "()", "kwargsrepr": "{}", "ignore_result": False, "stamped_headers": None, "stamps": {}},
        },
        "properties": {
            **{"correlation_id": "0", "reply_to": "", "delivery_mode": 2, "priority": 0, "body_encoding": "base64"},
            **{"delivery_tag": "0", "delivery_info": {"exchange": queue, "routing_key": queue}},
        },
    }


def messages(queue: str, draw: random.Random) -> Iterator[bytes]:
    """Texts that are no envelope, and envelopes with one to three things wrong."""
    yield json.dumps(envelope(POST, queue) | {"body": base64.b64encode(b"42").decode()}).encode()
    for _ in range(MESSAGES - 1):
        if draw.random() < 0.2:
            yield draw.choice(RAW)
            continue
        broken = envelope(draw.choice([POST, INSTRUCT, "workers.tasks.nothing", "celery.chord_unlock"]), queue)
        for _ in range(draw.randint(1, 3)):
            draw.choice(BREAKS)(broken, draw)
        yield json.dumps(broken).encode(errors="replace")


def _a_member(broken: dict, draw: random.Random) -> None:
    broken[draw.choice(list(broken) or ["body"])] = copy.deepcopy(draw.choice(VALUES))


def _a_header(broken: dict, draw: random.Random) -> None:
    if isinstance(broken.get("headers"), dict):
        name = draw.choice([*broken["headers"], "compression", "redelivered", "request_id", "x-death"])
        broken["headers"][name] = copy.deepcopy(draw.choice(VALUES))


def _a_property(broken: dict, draw: random.Random) -> None:
    if isinstance(broken.get("properties"), dict):
        name = draw.choice([*broken["properties"], "expiration", "type"])
        broken["properties"][name] = copy.deepcopy(draw.choice(VALUES))


def _delivery_info(broken: dict, draw: random.Random) -> None:
    if isinstance(broken.get("properties"), dict):
        name = draw.choice(["exchange", "routing_key", "consumer_tag"])
        broken["properties"]["delivery_info"] = {name: copy.deepcopy(draw.choice(VALUES))}


def _the_body(broken: dict, draw: random.Random) -> None:
    broken["body"] = base64.b64encode(draw.choice(CONTENTS)).decode()


def _content(broken: dict, draw: random.Random) -> None:
    types = ["application/x-python-serialize", "application/x-yaml", "text/plain", "application/data", "", "\x00"]
    broken["content-type"] = draw.choice(types)
    broken["content-encoding"] = draw.choice(["utf-16", "rot13", "binary", "nothing", ""])


def _a_member_is_missing(broken: dict, draw: random.Random) -> None:
    inside = broken.get(draw.choice(["headers", "properties"]))
    where = draw.choice([broken, inside if isinstance(inside, dict) else broken])
    where.pop(draw.choice(list(where) or [""]), None)


BREAKS: tuple[Callable[[dict, random.Random], None], ...] = (
    *(_a_member, _a_header, _a_property, _delivery_info, _the_body, _content, _a_member_is_missing),
)


def test_no_message_ends_a_worker(stack: Stack, users: StackUsers, reckoned: Reckon, times: int) -> None:
    pids = dict(stack.pids)
    dropped = sum(logged(stack, name, DROPPED) for name in WORKERS)
    with redis.Redis.from_url(stack.valkey.url()) as client:
        for turn in range(times):
            for queue in QUEUES:
                for number, message in enumerate(messages(queue, random.Random(f"{queue} {turn}"))):
                    client.lpush(f"{queue}\x06\x163" if number % 10 == 9 else queue, message)
        for queue in QUEUES:
            drained = f"{queue} is read to its end"
            eventually(lambda queue=queue: not client.llen(queue), seconds=120, message=drained)
            eventually(lambda queue=queue: not client.llen(f"{queue}\x06\x163"), seconds=120, message=drained)
    assert sum(logged(stack, name, DROPPED) for name in WORKERS) - dropped > times * len(QUEUES) * MESSAGES / 2
    assert stack.pids == pids
    assert_heartbeats(stack, QUEUE_OF_KIND, "heard_at")
    reckoned(users.submit(users.mixed(50)))


def test_nor_does_one_that_a_dead_worker_seems_to_have_left(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    """A message that is not acknowledged for long is looked at when a worker starts, and now and then."""
    with redis.Redis.from_url(stack.valkey.url()) as client:
        for number, message in enumerate([*RAW, b"[1, 2, 3]", b'[{}, "payments", "payments"]', b"[{}, [], {}]"]):
            client.hset("unacked", f"tag-{number}", message)
            client.zadd("unacked_index", {f"tag-{number}": LONG_AGO})
        for name in WORKERS:
            stack.processes[name].stop()
            stack.processes[name].start()
        eventually(lambda: not client.exists("unacked", "unacked_index"), message="it is forgotten")
        reckoned(users.submit(users.mixed(20)))
    assert all(stack.processes[name].is_alive for name in WORKERS)


def test_after_all_that_a_bell_is_heard_at_once(users: StackUsers) -> None:
    [answer] = users.submit_until_accepted([users.transfer(*users.clients[:2], "1.00")])
    assert users.final(answer, seconds=60)
