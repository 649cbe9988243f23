"""Lines to receivers from which only so much is ever read: headers without end cost us no more than short ones."""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

READ_BYTES_MAX = 64 * 1024
"""Of an answer, its headers included."""


class BoundedBackend(httpcore.AsyncNetworkBackend):
    """Connects as httpcore does by itself; raises ReadError where somebody reads on behind READ_BYTES_MAX."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A line of which little is read."""
        return _BoundedStream(await self._backend.connect_tcp(host, port, timeout, local_address, socket_options))


class _BoundedStream(httpcore.AsyncNetworkStream):
    def __init__(self, line: httpcore.AsyncNetworkStream) -> None:
        self._line = line
        self._left = READ_BYTES_MAX

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._left == 0:
            raise httpcore.ReadError("too much was answered")
        data = await self._line.read(min(max_bytes, self._left), timeout)
        self._left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._line.write(buffer, timeout)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _BoundedStream(await self._line.start_tls(ssl_context, server_hostname, timeout))

    async def aclose(self) -> None:
        await self._line.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._line.get_extra_info(info)
