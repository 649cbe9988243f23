"""nginx by the files of deploy/nginx, on a port of its own and without rights."""

import os
import shutil
import signal
import socket
from pathlib import Path

from embedded.home import CHECKOUT, Home
from embedded.process import Process

FILES = CHECKOUT / "deploy" / "nginx"
PROGRAM = "/usr/sbin/nginx"
HOST = "127.0.0.1"
READY_SECONDS_MAX = 60


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.create_server((HOST, 0)) as probe:
        return probe.getsockname()[1]


class Nginx:
    """nginx in front of these gateways (host:port), at a rate that no test reaches."""

    def __init__(self, home: Home, gateways: list[str]) -> None:
        self.folder = home.directory("nginx", home.servers)
        self.port = free_port()
        self.bind = f"{HOST}:{self.port}"
        self.log, self.access_log = home.log("nginx"), self.folder / "access.log"
        for file in FILES.glob("*.conf"):
            self.write(file.name, file.read_text())
        site = (FILES / "site.conf").read_text().replace("127.0.0.1:8080", self.bind)
        for name, text in {"site.conf": site, "limits.conf": unlimited()}.items():
            self.write(name, text)
        self.serve(gateways)
        self.process = Process(
            [PROGRAM, "-p", f"{self.folder}/", "-c", self.folder / "nginx.conf"],
            log=self.log,
            cwd=self.folder,
            identity=home.servers,
            death_signal=signal.SIGTERM,
        )

    def write(self, name: str, text: str) -> Path:
        """A file of its folder."""
        path = self.folder / name
        path.write_text(text)
        if os.geteuid() == 0:
            shutil.chown(path, self.folder.stat().st_uid, self.folder.stat().st_gid)
        path.chmod(0o600)
        return path

    def serve(self, gateways: list[str], down: str = "") -> None:
        """Write servers.conf, one of them marked as down; `reload` makes it so."""
        lines = (FILES / "servers.conf").read_text().splitlines()
        form = next(line for line in lines if line.startswith("server "))
        for_each = [form.replace("127.0.0.1:8001", gateway) for gateway in gateways]
        self.write(
            "servers.conf",
            "\n".join(line.replace(";", " down;") if down and down in line else line for line in for_each),
        )

    def start(self) -> None:
        self.process.start()
        self.process.wait_until(self._is_up, READY_SECONDS_MAX)

    def _is_up(self) -> bool:
        with socket.socket() as line:
            return line.connect_ex((HOST, self.port)) == 0

    def reload(self) -> None:
        """Read the files again; what was accepted is answered by the processes before."""
        self.process.send(signal.SIGHUP)

    def stop(self) -> None:
        self.process.stop(signal.SIGQUIT)


def unlimited() -> str:
    """limits.conf, with a rate that no test reaches."""
    text = (FILES / "limits.conf").read_text()
    assert "rate=1000r/s" in text
    return text.replace("rate=1000r/s", "rate=100000r/s")
