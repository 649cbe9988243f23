"""Archives months of payments and operations into files, and restores them; it goes on wherever it was ended.

Files are written, read again and compared with the tables; then the month is detached; then the files are read once
more and compared with the tables, which are locked, and only then the tables are dropped.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from models import archiving, audit
from models.archiving import ROWS_AT_ONCE, NotArchivable, PaymentMonth
from models.partitions import PARTITIONED
from models.session import Connection, Contention, Engine, transaction
from workers import archive_files
from workers.archive_files import Digest, Manifest

DETACH_TRIES_MAX = 20
"""Each waits a second at most for those who use the tables."""

Progress = Callable[[PaymentMonth, str], None]
"""Called with a month and what was done with it."""


def archive(
    engine: Engine, folder: Path, month: PaymentMonth, reason: str, progress: Progress, *, keep: bool = False
) -> None:
    """Archive a month, from where an earlier run came to; with `keep` only write its files. Raises NotArchivable."""
    if month.dropped:
        return
    if not month.detached:
        with transaction(engine) as connection:
            if found := archiving.obstacles(connection, month):
                raise NotArchivable(f"{month.name} has {', '.join(found)}")
    files = folder / month.name
    if not files.exists():
        _write(engine, files, month)
        progress(month, "written")
    manifest = archive_files.verify(files)
    with transaction(engine) as connection:
        _compare(connection, month, manifest)
    progress(month, "verified")
    if keep:
        return
    if not month.detached:
        _detach(engine, month, manifest, reason)
        progress(month, "detached")
    with transaction(engine) as connection:
        archiving.lock(connection)
        archiving.hold_still(connection, month)
        manifest = archive_files.verify(files)
        _compare(connection, month, manifest)
        archiving.drop(connection, month, manifest.sha256)
        audit.note(connection, audit.SHELL, "months.archive", month.name, reason, after={"rows": manifest.counts})
    progress(month, "dropped")


def _write(engine: Engine, files: Path, month: PaymentMonth) -> None:
    """Write the files of the month: under another name until all are on the disk."""
    half = files.with_name(f"{files.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    digests: dict[str, Digest] = {}
    columns: dict[str, list[str]] = {}
    for parent in PARTITIONED:
        with transaction(engine) as connection:
            columns[parent] = archiving.columns(connection, month.table(parent))
            rows = archiving.rows(connection, month.table(parent), parent, columns[parent])
            digests[parent] = archive_files.write(half, parent, rows)
    archive_files.write_manifest(half, {"month": month.name}, columns, digests)
    half.rename(files)
    archive_files.sync_folder(files.parent)


def _compare(connection: Connection, month: PaymentMonth, manifest: Manifest) -> None:
    """Raises NotArchivable unless the tables of the month are what is in the files."""
    for parent in PARTITIONED:
        table = month.table(parent)
        if manifest.columns.get(parent) != archiving.columns(connection, table):
            raise NotArchivable(
                f"the columns of {table} are not those of its file: write the files of {month.name} again"
            )
        if (
            archive_files.digest(archiving.rows(connection, table, parent, manifest.columns[parent]))
            != manifest.digests[parent]
        ):
            raise NotArchivable(f"the rows of {table} are not those of its file")


def _detach(engine: Engine, month: PaymentMonth, manifest: Manifest, reason: str) -> None:
    """Take the month out of the tables as soon as those who use them let it."""
    for left in reversed(range(DETACH_TRIES_MAX)):
        try:
            with transaction(engine) as connection:
                archiving.lock(connection)
                if found := archiving.obstacles(connection, month):
                    raise NotArchivable(f"{month.name} has {', '.join(found)}")
                archiving.keep(connection, month)
                archiving.detach(connection, month, manifest.counts, manifest.sha256)
                audit.note(connection, audit.SHELL, "months.detach", month.name, reason)
            return
        except Contention:
            if not left:
                raise


def restore(engine: Engine, folder: Path, month: PaymentMonth, reason: str, progress: Progress) -> None:
    """Bring an archived month back, which must be the newest one; raises NotArchivable."""
    if not month.detached:
        return
    if month.dropped:
        files = folder / month.name
        manifest = archive_files.verify(files)
        with transaction(engine) as connection:
            archiving.lock(connection)
            if manifest.sha256 != archiving.manifest_of(connection, month):
                raise NotArchivable(f"{files} is not what {month.name} was archived as")
            archiving.make_empty(connection, month)
        for parent in PARTITIONED:
            for some in _pages(archive_files.lines(files, parent)):
                with transaction(engine) as connection:
                    archiving.load(connection, month.table(parent), manifest.columns[parent], some)
        progress(month, "loaded")
    with transaction(engine) as connection:
        archiving.lock(connection)
        if month.dropped:
            archiving.manifest_of(connection, month)
            archiving.hold_still(connection, month)
            for parent in PARTITIONED:
                rows = archiving.rows(connection, month.table(parent), parent, manifest.columns[parent])
                if archive_files.digest(rows) != manifest.digests[parent]:
                    raise NotArchivable(f"the rows of {month.table(parent)} are not those of its file")
        archiving.attach(connection, month)
        audit.note(connection, audit.SHELL, "months.restore", month.name, reason)
    progress(month, "restored")


def _pages(lines: Iterable[str]) -> Iterator[list[str]]:
    """The lines in pages."""
    each = iter(lines)
    while page := list(islice(each, ROWS_AT_ONCE)):
        yield page
