"""Requests of a connection as bytes arrive: llhttp parses them, strictly."""

from typing import Protocol

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

from gateway.http.errors import ApiError
from gateway.http.incoming import (
    HEADER_BYTES_MAX,
    HEADERS_MAX,
    LINE_BYTES_MAX,
    IncomingRequest,
    headers_too_large,
    malformed,
)

HEAD_BYTES_MAX = LINE_BYTES_MAX + HEADERS_MAX * (HEADER_BYTES_MAX + 4)


class Receiver(Protocol):
    """What is done with requests."""

    def request_begins(self) -> IncomingRequest:
        """A request begins."""

    def expect_body(self, request: IncomingRequest) -> None:
        """Its head has arrived."""

    def answer(self, request: IncomingRequest) -> None:
        """It has arrived, or its head and the beginning of a body that is read while it arrives."""


class RequestReader:
    """Reads requests one after the other; its public methods but `feed` are called by the parser."""

    def __init__(self, receiver: Receiver) -> None:
        self.incoming: IncomingRequest | None = None
        """The request of which something is missing."""
        self._receiver = receiver
        self._parser = HttpRequestParser(self)
        self._other_bytes = 0
        """Of the request, since its last piece of body: of its head, its trailer, or the length of a chunk."""

    def feed(self, data: bytes) -> None:
        """Parse what has arrived, a read of a socket; raises ApiError, and must not be called again then."""
        rest = memoryview(data)
        while rest:
            rest = self._parsed(rest)
        if self.incoming is not None:
            self._other_bytes += len(data)
            if self._other_bytes > HEAD_BYTES_MAX:
                raise headers_too_large()

    def _parsed(self, data: memoryview) -> memoryview:
        """What is left after a request that asks for an upgrade, at which the parser stops."""
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:  # to a WebSocket; others are ignored
            self._parser = HttpRequestParser(self)
            return data[upgrade.args[0] :]
        except HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except HttpParserError:
            raise malformed() from None
        return data[:0]

    def on_message_begin(self) -> None:
        self.incoming = self._receiver.request_begins()
        self._other_bytes = 0

    def on_url(self, part: bytes) -> None:
        self._request.add_target(part)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.add_header(name, value)

    def on_headers_complete(self) -> None:
        request, parser = self._request, self._parser
        version = parser.get_http_version()
        request.end_head(parser.get_method().decode(), version, keeps_alive=parser.should_keep_alive())
        self._receiver.expect_body(request)
        if request.is_streamed:
            self._receiver.answer(request)

    def on_body(self, part: bytes) -> None:
        self._other_bytes = 0
        self._request.add_body(part)

    def on_message_complete(self) -> None:
        request, self.incoming = self._request, None
        request.end()
        if not request.is_streamed:
            self._receiver.answer(request)

    @property
    def _request(self) -> IncomingRequest:
        if self.incoming is None:
            raise ApiError("internal_error", "A part of a request came before its beginning.")
        return self.incoming
