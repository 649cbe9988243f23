"""The users that the stack's processes run as: under root one uid per kind, else the invoking user."""

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NOBODY_UID = 65534
"""The servers' uid under root: initdb wants one with a name."""
GATEWAY_UID = 60801
WORKER_UID = 60802
STACK_GID = 60800
"""Uids that systemd leaves unused; they need no entry in /etc/passwd."""
PROBE_SECONDS_MAX = 30


@dataclass(frozen=True)
class Identity:
    """A numeric uid and gid."""

    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        return self.uid == os.geteuid()

    def popen_options(self) -> dict:
        """Arguments for subprocess that drop to this identity, supplementary groups included."""
        return {} if self.is_ours else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_run(self, *argv: str | Path, cwd: Path | None = None) -> bool:
        """Return True if this command succeeds as this identity."""
        try:
            probe = subprocess.run(
                argv,
                cwd=cwd or "/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROBE_SECONDS_MAX,
                check=False,
                **self.popen_options(),
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return probe.returncode == 0

    def can_enter(self, directory: Path) -> bool:
        return self.can_run("/bin/sh", "-c", 'cd "$1"', "sh", directory)


def invoker() -> Identity:
    """The invoking user."""
    return Identity(os.geteuid(), os.getegid())


def of_servers() -> Identity:
    """The servers' identity: PostgreSQL refuses to run as root, so under root it is nobody, in the stack's group."""
    return Identity(NOBODY_UID, STACK_GID) if os.geteuid() == 0 else invoker()


def of_gateway(checkout: Path) -> Identity:
    """The gateway's identity, which can read neither the owner's secrets nor the workers' environment."""
    return _own(GATEWAY_UID, checkout)


def of_workers(checkout: Path) -> Identity:
    """The identity of the workers and beat."""
    return _own(WORKER_UID, checkout)


@cache
def _own(uid: int, checkout: Path) -> Identity:
    """That uid under root, if it can read interpreter, libraries and checkout; else the invoking user."""
    identity = Identity(uid, STACK_GID)
    if os.geteuid() == 0 and identity.can_run(sys.executable, "-c", "import flask, settings", cwd=checkout):
        return identity
    return invoker()
