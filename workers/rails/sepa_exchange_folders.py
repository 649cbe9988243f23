"""The folders by which a bank is told and tells: files that are written once and wholly, and read until committed."""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import structlog

from models.iso20022 import InvalidFile
from workers.rails.sepa_files import keys_in

log = structlog.get_logger("sepa")

FILE_BYTES_MAX = 8 * 1024 * 1024
"""Some ten thousand entries, read in some five seconds: what is larger is broken."""

NAME_LENGTH_KEPT = 60

DONE, BROKEN = "done", "broken"


class FolderBusy(Exception):
    """Another process writes to the outbox."""


class Outbox:
    """Files for the bank in `folder`, from where they may be taken away; beside them `told`, which must stay.

    `told` has a mark for every key that stands in a file, and for every message, as a further name of that file. A file
    is written in `staged`, marked, and only then renamed into the folder. Whoever dies

    - amid the writing leaves a torn file, which the next one deletes: nothing had been told
    - before, amid or after the marking leaves a whole file in `staged`, which the next one marks and renames
    - after the renaming leaves marks, by which every repetition knows that all of it was told, whoever took the file

    A renaming that a power cut undoes, is done again: under the same message id, which a bank takes once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._staged, self._told = folder, folder / "staged", folder / "told"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone, and with everything finished that was begun; raises Busy, or OSError."""
        for made in (self._staged, self._told):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._staged / ".lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FolderBusy from error
            for begun in sorted(self._staged.glob("*.xml")):
                self._recover(begun)
            yield

    def is_told(self, key: str) -> bool:
        """Whether this key stands in a file."""
        return (self._told / key).exists()

    def tell(self, message_id: str, data: bytes, keys: Iterable[str]) -> None:
        """Put a file into the folder, within `locked`; none of its keys may have been told."""
        begun = self._staged / f"{message_id}.xml"
        with begun.open("wb") as file:
            file.write(data)
        self._finish(begun, keys)

    def keys_of(self, message_id: str) -> Sequence[str]:
        """The keys that stood in the file of this message; none if there was no such file."""
        try:
            return keys_in((self._told / f"{message_id}.xml").read_bytes())
        except FileNotFoundError:
            return ()

    def _recover(self, begun: Path) -> None:
        try:
            keys = keys_in(begun.read_bytes())
        except InvalidFile:
            begun.unlink()
        else:
            self._finish(begun, keys)

    def _finish(self, begun: Path, keys: Iterable[str]) -> None:
        _sync(begun)
        for mark in [begun.name, *keys]:
            if not (self._told / mark).exists():
                (self._told / mark).hardlink_to(begun)
        _sync(self._told)
        begun.rename(self._folder / begun.name)
        _sync(self._folder)


class ReceivedFile(NamedTuple):
    """A file of the bank's, known by the SHA-256 of its content; None if it is too large to be read."""

    path: Path
    hash: str
    data: bytes | None


class Inbox:
    """Files from the bank, `*.xml` in `folder`, put there wholly (written elsewhere and renamed)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> Iterator[ReceivedFile]:
        """The files that can be read, in the order of their names; raises OSError if the folder cannot."""
        for path in sorted(self._folder.iterdir()):
            if path.suffix.lower() == ".xml" and path.is_file() and not path.is_symlink():
                try:
                    arrived = _arrived(path)
                except OSError as error:
                    log.error("a file of the bank cannot be read", file=path.name, error=type(error).__name__)
                else:
                    yield arrived

    def put_away(self, file: ReceivedFile, where: str) -> None:
        """Move a file to `done` or `broken`, under a name that no other content has."""
        folder = self._folder / where
        folder.mkdir(mode=0o700, exist_ok=True)
        file.path.rename(folder / f"{file.hash[:16]}-{file.path.name[-NAME_LENGTH_KEPT:]}")


def _arrived(path: Path) -> ReceivedFile:
    with path.open("rb") as file:
        data = file.read(FILE_BYTES_MAX + 1)
    kept = data if len(data) <= FILE_BYTES_MAX else None
    return ReceivedFile(path, hashlib.sha256(data).hexdigest(), kept)


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
