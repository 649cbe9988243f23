"""Calls that come at the same time are answered together, each with its own answer."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from gateway.http import event_loop, grouped_calls
from gateway.http.grouped_calls import GroupedCalls
from models.session import CommitUnknown
from tests.support import PATIENCE_SECONDS, eventually

CALLS = 40
request_id = ContextVar("request_id", default="")


class Doubling:
    """Doubles numbers, a group at a time, when it is let; a None is answered by an error."""

    def __init__(self) -> None:
        self.groups: list[list[int | None]] = []
        self.request_ids: list[str] = []
        self.is_open = threading.Event()
        self.calls = GroupedCalls[int | None, int]("doubling", self.double)

    def double(self, numbers: Sequence[int | None]) -> list[int | Exception]:
        self.groups.append(list(numbers))
        self.request_ids.append(request_id.get())
        assert self.is_open.wait(PATIENCE_SECONDS)
        return [LookupError("none") if number is None else number * 2 for number in numbers]


@pytest.fixture
def doubling(monkeypatch: pytest.MonkeyPatch) -> Doubling:
    monkeypatch.setattr(grouped_calls, "LINGER_SECONDS", 0.0)
    return Doubling()


def held(doubling: Doubling, pool: ThreadPoolExecutor, number: int) -> list[Future[int]]:
    """A first call that is being answered, and so many more that wait."""
    first = pool.submit(doubling.calls.ask, 0)
    eventually(lambda: doubling.groups)
    others = [pool.submit(doubling.calls.ask, each) for each in range(1, number + 1)]
    eventually(lambda: len(doubling.calls._waiting) == number)
    return [first, *others]


def test_calls_that_wait_are_answered_together(doubling: Doubling) -> None:
    with ThreadPoolExecutor(CALLS + 1) as pool:
        answers = held(doubling, pool, CALLS)
        doubling.is_open.set()
        assert [answer.result() for answer in answers] == [number * 2 for number in range(CALLS + 1)]
    assert [len(group) for group in doubling.groups] == [1, CALLS]


def test_calls_on_the_loop_are_answered_together(doubling: Doubling) -> None:
    async def main() -> list[int]:
        asked = asyncio.gather(*(event_loop.run(doubling.calls.ask, number) for number in range(CALLS)))
        asyncio.get_running_loop().call_soon(doubling.is_open.set)  # once all have asked
        return await asked

    assert asyncio.run(main()) == [number * 2 for number in range(CALLS)]
    assert sum(map(len, doubling.groups)) == CALLS
    assert len(doubling.groups) <= 2


def test_a_group_is_bounded(doubling: Doubling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped_calls, "GROUP_MAX", 16)
    with ThreadPoolExecutor(CALLS + 1) as pool:
        answers = held(doubling, pool, CALLS)
        doubling.is_open.set()
        assert sorted(answer.result() for answer in answers) == [number * 2 for number in range(CALLS + 1)]
    assert [len(group) for group in doubling.groups] == [1, 16, 16, 8]


def test_an_answer_that_is_an_error_is_raised_alone(doubling: Doubling) -> None:
    doubling.is_open.set()
    with ThreadPoolExecutor(2) as pool:
        good, bad = pool.submit(doubling.calls.ask, 4), pool.submit(doubling.calls.ask, None)
        assert good.result() == 8
        with pytest.raises(LookupError):
            bad.result()


def test_an_error_of_the_group_is_raised_by_all_calls(doubling: Doubling) -> None:
    doubling.calls._answer = lambda _: 1 // 0
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            doubling.calls.ask(1)


def test_a_group_runs_in_the_context_of_its_first_call(doubling: Doubling) -> None:
    doubling.is_open.set()
    request_id.set("one")
    doubling.calls.ask(1)
    assert doubling.request_ids == ["one"]


def test_call_without_an_answer_in_time_ends(doubling: Doubling, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(1) as pool:
        [first] = held(doubling, pool, 0)
        monkeypatch.setattr(grouped_calls, "WAIT_SECONDS_MAX", 0.01)
        with pytest.raises(CommitUnknown):
            doubling.calls.ask(1)
        doubling.is_open.set()
        assert first.result() == 0
    assert doubling.groups == [[0]]


def test_a_group_waits_until_it_is_as_large_as_before(doubling: Doubling, monkeypatch: pytest.MonkeyPatch) -> None:
    doubling.is_open.set()
    doubling.calls._size_before = 3
    monkeypatch.setattr(grouped_calls, "LINGER_SECONDS", PATIENCE_SECONDS)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(doubling.calls.ask, number) for number in range(3)]
        assert [answer.result() for answer in answers] == [0, 2, 4]
    monkeypatch.setattr(grouped_calls, "LINGER_SECONDS", 0.0)
    assert doubling.calls.ask(3) == 6
    assert [sorted(group) for group in doubling.groups] == [[0, 1, 2], [3]]
