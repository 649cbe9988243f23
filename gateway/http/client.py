"""The client of a request, as the application sees its connection."""

from socket import socket
from typing import Protocol

CLIENT = "payments.client"
"""The key of the WSGI environment under which the gateway's own server provides the Client."""


class Client(Protocol):
    """A connection to a client."""

    is_gone: bool
    """The client has closed it, or its sending half: the two look alike until data is sent. Once it is taken over, its
    reader says so."""

    def take_over(self) -> socket:
        """A socket of the connection, which the caller reads, and closes; the server does neither any more."""
