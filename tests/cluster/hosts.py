"""Three hosts, as network namespaces on a bridge; this needs root. A host can be cut off, and all it runs be killed."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

from embedded.home import Home
from embedded.process import Process

STOP_SECONDS_MAX = 20


def ip(*words: str, check: bool = True) -> None:
    """One command of iproute2."""
    subprocess.run(["/sbin/ip", *words], check=check, capture_output=True, timeout=30)


class Host:
    """A namespace with an address, and the servers that run in it."""

    def __init__(self, home: Home, bridge: str, number: int, network: str) -> None:
        self.home = home
        self.name = f"db-{number}"
        self.space, self._line = f"{bridge}-{number}", f"{bridge}v{number}"
        self.address = f"{network}.{number}"
        self.processes: dict[str, Process] = {}
        ip("netns", "add", self.space)
        ip("link", "add", self._line, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        ip("link", "set", self._line, "master", bridge, "up")
        for words in (("addr", "add", f"{self.address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
            ip("-n", self.space, *words)
        ip("-n", self.space, "link", "set", "lo", "up")

    def run(self, name: str, argv: list[str | Path], cwd: Path, **environ: str) -> Process:
        """Start the program in this host, with the rights of the servers."""
        servers = self.home.servers
        process = Process(
            [
                *("/sbin/ip", "netns", "exec", self.space),
                *("setpriv", f"--reuid={servers.uid}", f"--regid={servers.gid}", "--clear-groups"),
                *argv,
            ],
            log=self.home.log(f"{name}-{self.name}"),
            cwd=cwd,
            environ={"PATH": os.environ["PATH"], "HOME": str(cwd), "LANG": "C.UTF-8"} | environ,
            death_signal=signal.SIGKILL,
        )
        self.processes[name] = process
        process.start()
        return process

    def cut(self) -> None:
        """Nothing reaches it any more."""
        ip("link", "set", self._line, "down")

    def heal(self) -> None:
        """It is reached again."""
        ip("link", "set", self._line, "up")

    def kill(self) -> None:
        """As if its power were cut: all its processes are gone at once."""
        self.cut()
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.processes.values():
            process.kill()

    def _pids(self) -> list[int]:
        done = subprocess.run(
            ["/sbin/ip", "netns", "pids", self.space], check=True, capture_output=True, text=True, timeout=30
        )
        return [int(pid) for pid in done.stdout.split()]

    def remove(self) -> None:
        """End what runs in it, and the namespace."""
        for process in reversed(self.processes.values()):
            process.stop(seconds=STOP_SECONDS_MAX)
        for pid in self._pids():
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
        ip("link", "delete", self._line)
        ip("netns", "delete", self.space)


class Network:
    """A bridge with so many hosts; this machine is .254 of their network."""

    def __init__(self, home: Home, hosts: int) -> None:
        self._bridge = f"pay{os.getpid() % 100_000}"
        network = f"10.{os.getpid() // 250 % 250}.{os.getpid() % 250}"
        ip("link", "add", self._bridge, "type", "bridge")
        ip("addr", "add", f"{network}.254/24", "dev", self._bridge)
        ip("link", "set", self._bridge, "up")
        self.hosts = [Host(home, self._bridge, number, network) for number in range(1, hosts + 1)]

    def remove(self) -> None:
        """Remove all hosts, and the bridge."""
        for host in self.hosts:
            host.remove()
        ip("link", "delete", self._bridge)
