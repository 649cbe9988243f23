"""Every way learns the end of every payment, and takes as long as the end, or its own pause, lets it."""

import resource
import subprocess
import sys
import threading
from itertools import pairwise

import pytest

from bench.load import LoadError, Plan, post
from bench.notification_latency import WAYS, follow, learn
from embedded.home import CHECKOUT
from tests.bench.conftest import PATIENCE_SECONDS, Gateway
from tests.support import eventually

END_SECONDS = 0.3
"""After the first order."""
RATE, SECONDS = 20, 1.2


def plan(gateway: Gateway, way: str, **options: float) -> Plan:
    requests = [post("/v1/transfers", "t", b"{}", *WAYS[way].order_headers)]
    options = {"connections": 4, "seconds": 0.6, "warm_up": 0.0} | options
    return Plan(gateway.server_address, requests, **options)


@pytest.mark.parametrize(("way", "least"), [("wait", 0.1), ("events", 0.1), ("get", 0.1), ("poll", 0.9)])
def test_each_way_follows_each_payment_to_its_end(gateway: Gateway, way: str, least: float) -> None:

    def end() -> None:
        eventually(lambda: gateway.ids)
        gateway.ended.wait(END_SECONDS)
        gateway.ended.set()

    ending = threading.Thread(target=end)
    ending.start()
    outcome = follow(plan(gateway, way), WAYS[way], ["t"])
    assert len(outcome.ids) >= 4
    assert sorted(outcome.ids) == sorted(gateway.ids)
    assert outcome.statuses == {WAYS[way].status: len(gateway.ids)}
    first = min(range(len(outcome.ids)), key=outcome.sent.__getitem__)
    assert outcome.answered[first] - outcome.sent[first] >= least
    ending.join()


@pytest.mark.parametrize("keeps_alive", [True, False])
@pytest.mark.parametrize("way", ["wait", "events", "get"])
def test_what_has_ended_is_known_by_the_first_answer(gateway: Gateway, way: str, keeps_alive: bool) -> None:
    gateway.ended.set()
    gateway.keeps_alive = keeps_alive
    outcome = learn(plan(gateway, way), way, ["t"])
    assert outcome.statuses == {WAYS[way].status: len(gateway.ids)}
    assert set(gateway.requests.values()) <= {1, len(gateway.ids)}
    taken = [answered - sent for answered, sent in zip(outcome.answered, outcome.sent, strict=True)]
    assert min(taken) < PATIENCE_SECONDS / 10


def test_at_a_rate_as_many_connections_are_opened_as_it_takes(gateway: Gateway) -> None:
    gateway.ended.set()
    outcome = follow(plan(gateway, "poll", connections=100, rate=RATE, seconds=SECONDS), WAYS["poll"], ["t"])
    assert 3 < len(outcome.ids) <= RATE * SECONDS + 1
    sent = sorted(outcome.sent)
    assert [after - before for before, after in pairwise(sent)] == pytest.approx([1 / RATE] * (len(sent) - 1), abs=1e-4)


def test_connections_above_soft_file_limit_are_opened(gateway: Gateway) -> None:
    few = 16
    code = f"""
import resource
from bench.notification_latency import WAYS, follow
from bench.load import Plan, post
resource.setrlimit(resource.RLIMIT_NOFILE, ({few}, {resource.getrlimit(resource.RLIMIT_NOFILE)[1]}))
plan = Plan({gateway.server_address}, [post("/v1/transfers", "t", b"{{}}")], {4 * few}, 0.1, 0.0)
print(len(follow(plan, WAYS["wait"], ["t"]).ids))
"""
    gateway.ended.set()
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 4 * few


def test_what_is_refused_is_recorded_and_not_followed(gateway: Gateway) -> None:
    gateway.status = 429
    outcome = follow(plan(gateway, "get", seconds=0.1), WAYS["get"], ["t"])
    assert set(outcome.statuses) == {429}
    assert set(gateway.requests) == {"/v1/transfers"}


def test_a_stream_that_ends_before_its_payment_voids_the_run(gateway: Gateway) -> None:
    gateway.is_cut_short = True
    with pytest.raises(LoadError, match="before its payment"):
        follow(plan(gateway, "events"), WAYS["events"], ["t"])


def test_a_server_that_is_gone_voids_the_run(gateway: Gateway) -> None:
    nowhere = plan(gateway, "wait")
    gateway.shutdown()
    gateway.server_close()
    with pytest.raises(OSError):
        follow(nowhere, WAYS["wait"], ["t"])
