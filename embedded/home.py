"""The directories of a stack: data, sockets, logs and secrets."""

import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from embedded import identity
from embedded.identity import Identity

CHECKOUT = Path(__file__).resolve().parent.parent
SHARED = Path("/var/tmp")  # noqa: S108  survives a reboot, and every uid can enter it; its content is checked
PREFIX = "payments-"
"""Prefix of the directories made in a shared directory."""

IN_USE = "in-use"
"""A file in a temporary directory, locked by its creating process for its lifetime."""

SOCKET_PATH_BYTES_MAX = 107
LONGEST_SOCKET_NAME = "/.s.PGSQL.5432"


class StackError(Exception):
    """The embedded stack cannot go on; the message is the reason, in one line."""


@dataclass(frozen=True)
class Home:
    """The directories of one stack; `servers` is the identity of its PostgreSQL and Valkey."""

    path: Path
    sockets: Path
    servers: Identity

    @classmethod
    def of_checkout(cls, checkout: Path = CHECKOUT) -> "Home":
        """`.run` in the checkout; if the servers cannot enter it, a directory in /var/tmp keyed by its path."""
        inside = _own_directory(checkout / ".run", identity.invoker(), 0o711)
        reachable = identity.of_servers().can_enter(inside)
        return cls.at(inside if reachable else _private_place(inside))

    @classmethod
    def at(cls, path: Path) -> "Home":
        """The home in this directory; its sockets are elsewhere if their paths would be too long for the kernel."""
        servers = identity.of_servers()
        sockets = path / "sockets"
        if len(os.fsencode(f"{sockets}{LONGEST_SOCKET_NAME}")) > SOCKET_PATH_BYTES_MAX:
            sockets = _private_place(path) / "sockets"
        _own_directory(sockets, servers, 0o700 if servers.is_ours else 0o710)
        return cls(path, sockets, servers)

    def directory(self, name: str, owner: Identity | None = None) -> Path:
        """The home's directory of that name, accessible only to its owner (default: the invoking user)."""
        return _own_directory(self.path / name, owner or identity.invoker(), 0o700)

    def log(self, name: str) -> Path:
        return self.directory("logs") / f"{name}.log"

    def secret(self, name: str) -> str:
        """The random secret of that name, created once."""
        path = self.directory("secrets") / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32))
        return path.read_text()

    def executable(self, program: Path, tree: Path) -> Path:
        """The program, or its copy in this home if the servers cannot run it inside `tree`."""
        if self.servers.can_run(program, "--version"):
            return program
        copy = _own_directory(self.path / "programs", identity.invoker(), 0o711) / tree.name
        if not copy.exists():
            half = copy.with_name(f"{tree.name}.half")
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(tree, half, symlinks=True)
            for entry in (half, *half.rglob("*")):
                mode = entry.stat().st_mode & 0o500
                entry.chmod(mode | mode >> 3 | mode >> 6 | 0o200)
            half.rename(copy)
        return copy / program.relative_to(tree)


@contextmanager
def temporary(place: Path = SHARED) -> Iterator[Home]:
    """A home for tests and measurements, removed afterwards."""
    with temporary_directory(place) as path:
        yield Home.at(path)


@contextmanager
def temporary_directory(place: Path = SHARED) -> Iterator[Path]:
    """A directory that every uid can enter, removed afterwards, also after SIGTERM; first removes abandoned ones."""
    remove_abandoned(place)
    end_in_order()
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    with (path / "marking").open("w") as mark:  # locked before it gets its name, until the directory is removed
        try:
            fcntl.flock(mark, fcntl.LOCK_EX)
            Path(mark.name).rename(path / IN_USE)
            path.chmod(0o711)
            yield path
        finally:
            shutil.rmtree(path)


def remove_abandoned(place: Path) -> None:
    """Remove the temporary directories whose process ended without removing them."""
    for mark in place.glob(f"{PREFIX}*/{IN_USE}"):
        with suppress(OSError):  # locked by a process that lives, or gone meanwhile
            found = mark.parent.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                with mark.open() as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(mark.parent)


def end_in_order() -> None:
    """Let SIGTERM and SIGHUP end this process as an exception does, unless they are handled already."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _exit)


def _exit(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def write_private(path: Path, text: str) -> None:
    """Write the whole file or nothing, readable by its owner alone (0600)."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as half:
        half.write(text)
    Path(half.name).replace(path)


def _private_place(path: Path) -> Path:
    place = SHARED / f"{PREFIX}{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]}"
    with suppress(FileExistsError):
        place.mkdir(mode=0o711)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise StackError(f"{place} is not a directory that only uid {os.geteuid()} can change: remove it")
    place.chmod(0o711)
    return place


def _own_directory(path: Path, owner: Identity, mode: int) -> Path:
    """Create the directory for this owner; raises StackError if it belongs to another user."""
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        if path.stat().st_uid != owner.uid:
            raise StackError(
                f"{path} belongs to uid {path.stat().st_uid}, not {owner.uid}: run as that user, or remove it"
            ) from None
    else:
        os.chown(path, owner.uid, owner.gid)
    path.chmod(mode)
    return path
