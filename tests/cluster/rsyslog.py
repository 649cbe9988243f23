"""rsyslog by the files of deploy/rsyslog: on a host with logs, and as the one place that all lines come to."""

import json
import signal
import socket
from pathlib import Path
from typing import Any

from embedded.home import CHECKOUT, Home
from embedded.process import Process
from tests.cluster.nginx import HOST, READY_SECONDS_MAX

FILES = CHECKOUT / "deploy" / "rsyslog"
PROGRAM = "/usr/sbin/rsyslogd"


class Rsyslog:
    """One rsyslogd with these of the files, in a folder of its own; `changes` are made in their text."""

    def __init__(self, home: Home, name: str, to: str, *others: str, **changes: str) -> None:
        self.folder = home.path / name
        self.stored = self.folder / "all"
        self.port = int(changes.get("6514", "0"))
        for folder in (self.folder / "spool", self.stored):
            folder.mkdir(parents=True)
        changes |= {
            "/etc/payments-logs": str(self.folder),
            "/var/spool/payments-logs": str(self.folder / "spool"),
            "/var/log/payments-all": str(self.stored),
        }
        for source, target in {
            to: "to.conf",
            **{file: file for file in ("rsyslog.conf", "payments.conf", *others)},
        }.items():
            text = (FILES / source).read_text()
            for before, after in changes.items():
                text = text.replace(before, after)
            (self.folder / target).write_text(text)
        self.process = Process(
            [PROGRAM, "-n", "-i", "NONE", "-f", self.folder / "rsyslog.conf"],
            log=home.log(name),
            cwd=self.folder,
            death_signal=signal.SIGTERM,
        )

    def start(self) -> None:
        self.process.start()
        if self.port:
            self.process.wait_until(self._is_up, READY_SECONDS_MAX)

    def _is_up(self) -> bool:
        with socket.socket() as line:
            return line.connect_ex((HOST, self.port)) == 0

    def lines(self) -> list[dict[str, Any]]:
        """All that came, each line JSON."""
        files: list[Path] = sorted(self.stored.glob("*.json"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines(True) if line.endswith("\n")]
