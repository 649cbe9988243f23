"""Synchronous code on the event loop: it waits as long as it must, and others go on meanwhile."""

import asyncio
import threading
from contextvars import ContextVar

import pytest

from gateway.http import event_loop
from gateway.http.event_loop import Wakeup

PATIENCE_SECONDS = 60.0
request_id = ContextVar("request_id", default="")


def test_what_runs_on_the_loop_waits_while_others_go_on() -> None:
    said: list[str] = []

    def waits(woken: list[Wakeup]) -> bool:
        woken.append(Wakeup())
        said.append("waits")
        return woken[0].wait(PATIENCE_SECONDS)

    async def others(woken: list[Wakeup]) -> None:
        said.append("goes on")
        woken[0].set()

    async def main() -> bool:
        woken: list[Wakeup] = []
        is_set, _ = await asyncio.gather(event_loop.run(waits, woken), others(woken))
        return is_set

    assert asyncio.run(main())
    assert said == ["waits", "goes on"]


def test_a_wakeup_of_the_loop_is_set_by_another_thread() -> None:
    def waits() -> bool:
        woken = Wakeup()
        thread = threading.Thread(target=woken.set)
        thread.start()
        is_set = woken.wait(PATIENCE_SECONDS)
        thread.join()
        woken.clear()
        return is_set and not woken.wait(0.01)

    assert asyncio.run(event_loop.run(waits))


def test_a_wakeup_set_after_the_end_of_its_loop_is_nothing() -> None:
    woken = asyncio.run(event_loop.run(Wakeup))
    woken.set()


def test_a_function_runs_in_a_thread_with_the_context_of_the_request() -> None:
    def look() -> tuple[int, str]:
        return threading.get_ident(), request_id.get()

    def calls() -> tuple[int, str]:
        request_id.set("one")
        return event_loop.run_in_thread(look)

    ident, seen = asyncio.run(event_loop.run(calls))
    assert ident != threading.get_ident()
    assert seen == "one"
    assert event_loop.run_in_thread(threading.get_ident) == threading.get_ident()


def test_an_error_of_a_thread_or_function_is_raised() -> None:
    def fails() -> None:
        with pytest.raises(ZeroDivisionError):
            event_loop.run_in_thread(divmod, 1, 0)
        raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(event_loop.run(fails))


def test_cancellation_ends_what_waits() -> None:
    ended: list[str] = []

    def waits() -> None:
        try:
            Wakeup().wait(PATIENCE_SECONDS)
        finally:
            ended.append("ended")

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await event_loop.run(waits)

    asyncio.run(main())
    assert ended == ["ended"]


def test_who_pauses_lets_others_go_first() -> None:
    said: list[str] = []

    def pauses() -> None:
        event_loop.pause(0)
        said.append("paused")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(event_loop.run(pauses))
            group.create_task(event_loop.run(said.append, "other"))

    asyncio.run(main())
    event_loop.pause(0)
    assert said == ["other", "paused"]
