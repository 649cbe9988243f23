"""The files of an archived month: JSON Lines, compressed by zstd, and a manifest with their hashes."""

import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

from models.archiving import NotArchivable

MANIFEST = "manifest.json"
LEVEL = 10
"""Of zstd: twice as small as its default for a tenth of the time that PostgreSQL takes to read the rows."""

CHUNK_BYTES = 1 << 20
MANIFEST_BYTES_MAX = 1 << 20


class Digest(NamedTuple):
    """Rows of a table: their number, and the SHA-256 of their lines."""

    rows: int
    sha256: str


class Manifest(NamedTuple):
    """What a month's files must have: columns and digest by table; and the SHA-256 of the manifest itself."""

    columns: dict[str, list[str]]
    digests: dict[str, Digest]
    sha256: bytes

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows by table."""
        return {table: digest.rows for table, digest in self.digests.items()}


def digest(lines: Iterable[str]) -> Digest:
    """The digest of rows."""
    rows, hash = 0, hashlib.sha256()
    for line in lines:
        hash.update(line.encode() + b"\n")
        rows += 1
    return Digest(rows, hash.hexdigest())


def file_of(folder: Path, table: str) -> Path:
    """The file of a table."""
    return folder / f"{table}.jsonl.zst"


def write(folder: Path, table: str, lines: Iterable[str]) -> Digest:
    """Write the rows of a table, down to the disk."""
    with file_of(folder, table).open("xb") as file:
        with zstandard.ZstdCompressor(LEVEL, write_checksum=True).stream_writer(file, closefd=False) as compressed:
            found = digest(_told(lines, compressed))
        file.flush()
        os.fsync(file.fileno())
    return found


def _told(lines: Iterable[str], to: Any) -> Iterator[str]:
    for line in lines:
        to.write(line.encode() + b"\n")
        yield line


def write_manifest(
    folder: Path, about: dict[str, Any], columns: dict[str, list[str]], digests: dict[str, Digest]
) -> None:
    """Write the manifest of a month, down to the disk."""
    tables = {
        table: {"file": file_of(folder, table).name, "columns": columns[table], **digests[table]._asdict()}
        for table in digests
    }
    with (folder / MANIFEST).open("x") as file:
        json.dump({**about, "tables": tables}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """What was made or renamed in it is on the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a month; raises NotArchivable."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            text = file.read(MANIFEST_BYTES_MAX)
        tables = json.loads(text)["tables"]
        digests = {name: Digest(int(table["rows"]), str(table["sha256"])) for name, table in tables.items()}
        columns = {name: [str(column) for column in table["columns"]] for name, table in tables.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotArchivable(f"{folder / MANIFEST} cannot be read: {error}") from error
    return Manifest(columns, digests, hashlib.sha256(text).digest())


def lines(folder: Path, table: str) -> Iterator[str]:
    """The rows of a table; raises NotArchivable if they cannot be read."""
    try:
        with file_of(folder, table).open("rb") as file:
            stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            for line in io.TextIOWrapper(io.BufferedReader(stream, CHUNK_BYTES), "utf-8", newline="\n"):
                yield line.removesuffix("\n")
    except (OSError, ValueError, zstandard.ZstdError) as error:
        raise NotArchivable(f"{file_of(folder, table)} cannot be read: {error}") from error


def verify(folder: Path) -> Manifest:
    """The manifest, after all files were read and are what it says; raises NotArchivable."""
    manifest = read_manifest(folder)
    for table, stated in manifest.digests.items():
        if (found := digest(lines(folder, table))) != stated:
            raise NotArchivable(f"{file_of(folder, table)} has {found.rows} rows that are not those of its manifest")
    return manifest
