"""Keeps the files that a rail wrote for its bank, and those of the bank that it read, in the database."""

from models import rail as rails
from models.session import Engine, transaction
from workers.rails.bank_words import clean
from workers.rails.base import FileRail, Rail

FILES_MAX = 500
"""Files that are noted in one transaction."""

NAME_LENGTH_MAX = 100
"""Of the column."""


def note(engine: Engine, rail: Rail) -> None:
    """Keep the rail's files; after a crash those of its last seconds are in the log and the rail's folders alone."""
    if not isinstance(rail, FileRail) or not rail.handled_files:
        return
    files = rail.handled_files[:FILES_MAX]
    named = [file._replace(name=clean(file.name, NAME_LENGTH_MAX) or "-") for file in files]
    with transaction(engine) as connection:
        rails.note_files(connection, rail.name, named)
    del rail.handled_files[: len(files)]
