"""The event loop of a served gateway, for synchronous code: it waits in a greenlet, while other requests go on.

Elsewhere, in a thread or another server, the same calls simply wait.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from gateway.http.access_log import Application, Environ

T = TypeVar("T")


class SynchronousCode(greenlet):
    """Synchronous code that runs on the event loop; its parent awaits what it waits for."""


async def run(function: Callable[..., T], *args: object) -> T:
    """The result of a synchronous function, whose waits below do not hold up the event loop."""
    parent = getcurrent()
    code: Any = SynchronousCode(function, parent)
    code.gr_context = parent.gr_context
    outcome = code.switch(*args)
    while not code.dead:
        try:
            value = await outcome
        except BaseException as error:
            outcome = code.throw(error)
        else:
            outcome = code.switch(value)
    return outcome


def is_on_loop() -> bool:
    """True in code that `run` runs."""
    return isinstance(getcurrent(), SynchronousCode)


def _wait_for(awaitable: Awaitable[T]) -> T:
    parent: Any = getcurrent().parent
    return parent.switch(awaitable)


def run_in_thread(function: Callable[..., T], *args: object, executor: Executor | None = None) -> T:
    """The result of a function that waits in other ways than these, or computes for long."""
    if not is_on_loop():
        return function(*args)
    return _wait_for(asyncio.get_running_loop().run_in_executor(executor, copy_context().run, function, *args))


def in_thread(application: Application) -> Application:
    """The WSGI application, of which an answer that is not a stream is made in a thread."""

    def called(environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        if is_on_loop():
            return run_in_thread(_joined, application, environ, start_response)
        return application(environ, start_response)

    return called


def _joined(application: Application, environ: Environ, start_response: Callable[..., object]) -> list[bytes]:
    pieces = application(environ, start_response)
    try:
        return [b"".join(pieces)]
    finally:
        if hasattr(pieces, "close"):
            pieces.close()


def pause(seconds: float) -> None:
    """Wait; even for 0 s, other requests that are ready go on first."""
    if is_on_loop():
        _wait_for(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)


class Wakeup:
    """An event: the thread, or the code on the loop, that makes it waits for it, and any thread sets it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop() if is_on_loop() else None
        self._event = threading.Event() if self._loop is None else _LoopEvent(self._loop)

    def set(self) -> None:
        """Wake who waits, now or later."""
        if self._loop is None or self._loop is _running_loop():
            self._event.set()
        else:
            with suppress(RuntimeError):  # the process ends, and nobody waits any more
                self._loop.call_soon_threadsafe(self._event.set)

    def clear(self) -> None:
        """Forget that it was set."""
        self._event.clear()

    def wait(self, seconds: float) -> bool:
        """Wait until it is set; returns False after that many seconds."""
        return self._event.wait(seconds)


class _LoopEvent:
    """An event for which one greenlet waits; asyncio's own, with its time limit, costs three times as much."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._is_set = False
        self._waiting: asyncio.Future[None] | None = None

    def set(self) -> None:
        self._is_set = True
        if self._waiting is not None:
            _end(self._waiting)

    def clear(self) -> None:
        self._is_set = False

    def wait(self, seconds: float) -> bool:
        if not self._is_set:
            self._waiting = waiting = self._loop.create_future()
            timer = self._loop.call_later(seconds, _end, waiting)
            try:
                _wait_for(waiting)
            finally:
                timer.cancel()
        return self._is_set


def _end(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


async def is_done_within(awaitable: Awaitable[object], seconds: float) -> bool:
    """Wait until it is done; returns False after that many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await awaitable
    except TimeoutError:
        return False
    return True


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
