"""All that the product does with Valkey is allowed to its users: nothing stands in the log of refusals."""

from contextlib import suppress
from json import JSONDecodeError
from uuid import uuid4

import pytest
import redis

from embedded.stack import Stack
from embedded.valkey import GATEWAY, WORKER
from tests.e2e.state_machine.users import StackUsers
from tests.support import eventually

pytestmark = pytest.mark.slow


def test_nothing_that_the_product_does_is_refused(stack: Stack, users: StackUsers) -> None:
    """Payments, withdrawals, sign-ups, limits, notices; workers that end with bells in hand, and start again."""
    client = users.clients[0]
    answers = users.submit([*users.mixed(30), users.withdrawal(client, "6660.01")])
    for answer in answers:
        assert users.final(answer, seconds=60)
    newcomer = {"email": f"{uuid4()}@example.com", "password": f"correct {uuid4()}", "phone_number": "+14155550123"}
    newcomer |= {"first_name": "Carol", "last_name": "Clear"}
    assert users.connection.call("POST", "/v1/clients", "", newcomer)[0] == 201
    session = {name: newcomer[name] for name in ("email", "password")}
    status, opened, _ = users.connection.call("POST", "/v1/sessions", "", session)
    assert status == 201, opened
    with suppress(JSONDecodeError):  # 204 has no body
        users.connection.call("DELETE", "/v1/sessions/current", opened["token"])
    eventually(lambda: users.connection.call("GET", "/v1/me", opened["token"])[0] == 401, message="all processes know")
    with redis.Redis.from_url(stack.valkey.url()) as admin:
        for worker in stack.doing("posting", "upkeep", "rails", "webhooks", "beat").values():
            worker.kill()
            worker.start()
        admin.hset("unacked", "tag", b'[{}, "payments", "payments"]')
        admin.zadd("unacked_index", {"tag": 1.0})
        for worker in stack.doing("posting", "upkeep").values():
            worker.stop()
            worker.start()
        eventually(
            lambda: not admin.exists("unacked_index") or admin.zscore("unacked_index", "tag") is None, seconds=300
        )
        for answer in users.submit([users.charge(client, "1.00"), *users.mixed(10)]):
            users.final(answer, seconds=60)
        assert [entry for entry in admin.acl_log() if entry["reason"] != "auth"] == []
        known = {"payments_admin", "payments_worker", "payments_gateway"}
        eventually(  # who has connected is nobody's until it has said who it is
            lambda: {client["user"] for client in admin.client_list()} == known, message="all are known users"
        )
    logs = "".join(stack.home.log(name).read_text(errors="replace") for name in stack.processes)
    assert not [user for user in (WORKER, GATEWAY) if stack.home.secret(f"valkey_{user}") in logs]
