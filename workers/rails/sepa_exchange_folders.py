"""Outbox and inbox of bank files: each file is written once, completely, and read until its items are committed."""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import structlog

from models.iso20022 import InvalidFile
from models.rail import CONTENT_BYTES_MAX
from workers.rails.sepa_files import keys_in

log = structlog.get_logger("sepa")

FILE_BYTES_MAX = CONTENT_BYTES_MAX
"""About ten thousand entries, read in about five seconds; a larger file counts as invalid."""

NAME_LENGTH_KEPT = 60

DONE, BROKEN = "done", "broken"


class FolderBusy(Exception):
    """Another process writes to the outbox."""


class Outbox:
    """Files for the bank in `folder`, from where they may be removed; beside them `told`, which must stay.

    `told` has a mark (a hard link to the file) for every key in a file, and for every message. A file is written in
    `staged`, marked, and only then renamed into the folder. A process that dies

    - during the writing leaves an incomplete file, which the next process deletes: nothing was sent
    - before, during or after the marking leaves a complete file in `staged`, which the next process marks and renames
    - after the renaming leaves marks, by which every repetition knows that the file was sent, even if it was removed

    A renaming undone by a power cut is repeated under the same message id, which a bank accepts once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._staged, self._told = folder, folder / "staged", folder / "told"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the outbox's lock, with interrupted files finished first; raises FolderBusy, or OSError."""
        for folder in (self._staged, self._told):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._staged / ".lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FolderBusy from error
            for file in sorted(self._staged.glob("*.xml")):
                self._recover(file)
            yield

    def is_written(self, key: str) -> bool:
        """Whether this key is in a file."""
        return (self._told / key).exists()

    def write(self, message_id: str, data: bytes, keys: Iterable[str]) -> None:
        """Put a file into the folder, within `locked`; none of its keys may be in another file."""
        begun = self._staged / f"{message_id}.xml"
        with begun.open("wb") as file:
            file.write(data)
        self._finish(begun, keys)

    def keys_of(self, message_id: str) -> Sequence[str]:
        """The keys in the file of this message; none if there is no such file."""
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
    """A file of the bank, identified by the SHA-256 of its content; `data` is None if it is too large."""

    path: Path
    hash: str
    data: bytes | None


class Inbox:
    """Files from the bank, `*.xml` in `folder`, moved there complete (written elsewhere and renamed)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> Iterator[ReceivedFile]:
        """The readable files, in the order of their names; raises OSError if the folder is not readable."""
        for path in sorted(self._folder.iterdir()):
            if path.suffix.lower() == ".xml" and path.is_file() and not path.is_symlink():
                try:
                    received = _read(path)
                except OSError as error:
                    log.error("a file of the bank cannot be read", file=path.name, error=type(error).__name__)
                else:
                    yield received

    def put_away(self, file: ReceivedFile, where: str) -> str:
        """Move a file to `done` or `broken`; returns its name there, which is unique to its content."""
        folder = self._folder / where
        folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{file.hash[:16]}-{file.path.name[-NAME_LENGTH_KEPT:]}"
        file.path.rename(folder / name)
        return name


def _read(path: Path) -> ReceivedFile:
    with path.open("rb") as file:
        data = file.read(FILE_BYTES_MAX + 1)
    complete = data if len(data) <= FILE_BYTES_MAX else None
    return ReceivedFile(path, hashlib.sha256(data).hexdigest(), complete)


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
