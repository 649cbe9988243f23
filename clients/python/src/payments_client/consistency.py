"""Reads have what this client wrote, wherever the service reads: each call carries the newest token of an answer."""

from __future__ import annotations

import httpx

HEADER = "Consistency-Token"


class Consistency:
    """The newest token so far, which is the greatest as text; one for all that share their connections."""

    def __init__(self) -> None:
        self._newest = ""

    def send(self, request: httpx.Request) -> None:
        """Let the request carry the token."""
        if self._newest:
            request.headers.setdefault(HEADER, self._newest)

    def hear(self, response: httpx.Response) -> None:
        """Note the token of the answer to a write."""
        self._newest = max(self._newest, response.headers.get(HEADER, ""))

    async def send_async(self, request: httpx.Request) -> None:
        """As `send`."""
        self.send(request)

    async def hear_async(self, response: httpx.Response) -> None:
        """As `hear`."""
        self.hear(response)
