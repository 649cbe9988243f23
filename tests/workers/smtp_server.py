"""A real SMTP server on a free port, which stores mails and refuses the recipients named by a test."""

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default


class Server(socketserver.ThreadingTCPServer):
    """`refuses` maps an address to the reply it gets; `mail` is what came, `commands` what all clients sent."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, is_silent: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.tls = tls
        self.is_silent = is_silent
        self.refuses: dict[str, str] = {}
        self.data_reply = "250 kept"
        self.mail: list[EmailMessage] = []
        self.commands: list[str] = []
        self.connections = 0
        self.encrypted: list[bool] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server_address[1]


class Session(socketserver.StreamRequestHandler):
    """One client's."""

    server: Server

    def handle(self) -> None:
        """Answer every command until the client leaves."""
        self.server.connections += 1
        if self.server.is_silent:
            self.rfile.read()
            return
        self.is_encrypted = False
        self.reply("220 here")
        while line := self.rfile.readline().decode().rstrip():
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            self.server.commands.append(f"{verb} {rest}")
            if verb == "QUIT":
                self.reply("221 bye")
                return
            if verb == "STARTTLS":
                self.start_tls()
            elif verb == "DATA":
                self.take()
            else:
                self.reply(self.answer(verb, line))

    def finish(self) -> None:
        """Close what is open, the encrypted line too."""
        super().finish()
        self.connection.close()

    def answer(self, verb: str, line: str) -> str:
        """The reply to a command without more to it."""
        if verb == "EHLO":
            offered = "250-STARTTLS\r\n" if self.server.tls and not self.is_encrypted else ""
            return f"250-here\r\n{offered}250-AUTH PLAIN\r\n250 8BITMIME"
        if verb == "RCPT":
            return self.server.refuses.get(line.partition("<")[2].partition(">")[0], "250 ok")
        return "235 welcome" if verb == "AUTH" else "250 ok"

    def start_tls(self) -> None:
        """Go on encrypted; the client may not like our certificate, and leave."""
        self.reply("220 go on")
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.is_encrypted = True

    def take(self) -> None:
        """Keep a mail."""
        self.reply("354 tell")
        lines = iter(self.rfile.readline, b".\r\n")
        mail = message_from_bytes(b"".join(lines), policy=default)
        if self.server.data_reply.startswith("250"):
            self.server.mail.append(mail)
            self.server.encrypted.append(self.is_encrypted)
        self.reply(self.server.data_reply)

    def reply(self, text: str) -> None:
        """One reply."""
        self.wfile.write(f"{text}\r\n".encode())


class Quiet(Server):
    """Does not print what broke a line: clients leave when they distrust it."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing."""


@contextmanager
def serving(tls: ssl.SSLContext | None = None, *, is_silent: bool = False) -> Iterator[Server]:
    """The server, for as long as it is needed."""
    with Quiet(tls, is_silent=is_silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
