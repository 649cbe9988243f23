"""A proxy to a gateway that loses answers: the server has accepted the order, and the client never hears of it."""

import http.client
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
PORT_AND_HOST = ("127.0.0.1", 0)


class LossyProxy:
    """Passes requests on to `bind`, and loses the answer to every `one_in`th POST; `lost` counts them."""

    def __init__(self, bind: str, one_in: int) -> None:
        self.lost = 0
        proxy, turns = self, itertools.count(1)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                self.gateway = http.client.HTTPConnection(bind)

            def finish(self) -> None:
                super().finish()
                self.gateway.close()

            def do_GET(self) -> None:
                self.pass_on()

            def do_POST(self) -> None:
                self.pass_on()

            def pass_on(self) -> None:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.gateway.request(self.command, self.path, body, headers)
                answer = self.gateway.getresponse()
                content = answer.read()
                if self.command == "POST" and next(turns) % one_in == 0:
                    assert answer.status == http.client.ACCEPTED
                    proxy.lost += 1
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(PORT_AND_HOST, Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """End, with its connections."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
