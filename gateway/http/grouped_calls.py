"""Calls that come at the same time are answered together: one statement, or one commit, for many requests."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Generic, TypeVar

from gateway.http.event_loop import Wakeup
from models.session import CommitUnknown

LINGER_SECONDS = 0.002
"""The longest wait of a group until it is as large as the one before, whose clients are likely to come again. After a
group of one there is no wait."""

GROUP_MAX = 256
"""Enough for every connection of a process; larger groups gain nothing."""

WAIT_SECONDS_MAX = 15.0
"""Longer than the time-outs of the database: after this the group will not answer."""

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class GroupedCalls(Generic[Request, Answer]):
    """A thread answers all calls that wait, as one group; meanwhile the next group gathers."""

    def __init__(self, name: str, answer: Callable[[Sequence[Request]], Sequence[Answer | Exception]]) -> None:
        """`answer` returns an answer, or an exception, for each request; what it raises goes to all of them."""
        self._answer = answer
        self._thread = ThreadPoolExecutor(1, name)
        self._waiting: deque[_Call[Request, Answer]] = deque()
        self._joined = threading.Condition()
        self._is_running = False
        self._size_before = 1

    def ask(self, request: Request) -> Answer:
        """The answer to this request; raises what is answered instead, and CommitUnknown if there is none in time."""
        call = _Call[Request, Answer](request)
        with self._joined:
            self._waiting.append(call)
            if not self._is_running:
                self._is_running = True
                self._thread.submit(self._run)
            elif len(self._waiting) in (1, self._size_before):
                self._joined.notify()
        if not call.answered.wait(WAIT_SECONDS_MAX):
            with self._joined:
                if call in self._waiting:
                    self._waiting.remove(call)
        if isinstance(call.answer, Exception):
            raise call.answer
        return call.answer

    def _run(self) -> None:
        """Answer group after group, until nobody comes for a while."""
        while group := self._next():
            try:
                answers = group[0].context.run(self._answer, [call.request for call in group])
                for call, answer in zip(group, answers, strict=True):
                    call.answer = answer
            except Exception as error:
                for call in group:
                    call.answer = error
            for call in group:
                call.answered.set()

    def _next(self) -> list["_Call[Request, Answer]"]:
        with self._joined:
            self._joined.wait_for(lambda: self._waiting, LINGER_SECONDS)
            if self._waiting:
                self._joined.wait_for(lambda: len(self._waiting) >= self._size_before, LINGER_SECONDS)
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_MAX))]
            self._size_before = len(group) or self._size_before
            self._is_running = bool(group)
        return group


class _Call(Generic[Request, Answer]):
    """A request that waits for its group."""

    __slots__ = ("answer", "answered", "context", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answer: Answer | Exception = CommitUnknown()
        self.answered = Wakeup()
        self.context = copy_context()
