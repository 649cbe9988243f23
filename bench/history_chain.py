"""The chain of a written history: batches as posters write them, at the times at which they were posted."""

import os
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from models import ledger_batch, pg_arrays
from models.rules.ledger_chain import EPOCH, SALT_BYTES, batch_hash, batch_hashes
from models.verification import VERIFICATION_LOCK

BATCHES_AT_ONCE = 5_000
"""Batches that are hashed and inserted together."""

COLUMNS = pg_arrays.Columns(
    "batch",
    "number bigint, previous_hash bytea, posted_at timestamptz, payments text, salts bytea, marks bytea, root bytea",
)
INSERT = f"""
INSERT INTO ledger_batches ({COLUMNS.names})
SELECT number, previous_hash, posted_at, payments::uuid[], salts, marks, root FROM {COLUMNS.unnest} ORDER BY number
"""  # noqa: S608 - the names are constants


class WrittenBatch(NamedTuple):
    """A row of `ledger_batches`; its payments as an array literal."""

    number: int
    previous_hash: bytes
    posted_at: datetime
    payments: str
    salts: bytes
    marks: bytes
    root: bytes


def begin(owner: Engine) -> None:
    """Let the chain begin before all history: to be called on a migrated database before anything is posted."""
    with owner.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE ledger_batches DISABLE TRIGGER ledger_batches_are_append_only")
        connection.exec_driver_sql("UPDATE ledger_batches SET posted_at = %s", (EPOCH,))
        connection.exec_driver_sql("ALTER TABLE ledger_batches ENABLE TRIGGER ledger_batches_are_append_only")
        note_verified(connection)


def extend(connection: Connection, batches: Sequence[tuple[datetime, Sequence[str]]]) -> None:
    """Chain operations that are written to the newest batch: of each batch the time, and the ids of its payments."""
    [newest] = ledger_batch.page(connection, ledger_batch.newest(connection) - 1, 1)
    number, previous = newest.number, newest.hash
    for first in range(0, len(batches), BATCHES_AT_ONCE):
        some = batches[first : first + BATCHES_AT_ONCE]
        operations = ledger_batch.operations_of(connection, [id for _, ids in some for id in ids])
        rows = []
        for posted_at, ids in some:
            posted = [(id, [operation.text for operation in operations[id]]) for id in ids]
            salts = os.urandom(SALT_BYTES * sum(len(lines) for _, lines in posted))
            hashes = batch_hashes(posted, salts)
            number += 1
            payments = pg_arrays.plain(ids)
            rows.append(WrittenBatch(number, previous, posted_at, payments, salts, hashes.marks, hashes.root))
            previous = batch_hash(number, previous, posted_at, hashes.root)
        connection.exec_driver_sql(INSERT, COLUMNS.parameters(rows))


NOTE_VERIFIED = """
UPDATE verification_positions v
SET batch = newest.number, batch_hash = newest.hash, xact = coalesce(e.xact, v.xact),
    sequence = coalesce(e.sequence, v.sequence)
FROM (SELECT number, hash FROM ledger_batches ORDER BY number DESC LIMIT 1) AS newest
LEFT JOIN LATERAL (SELECT xact, sequence FROM events ORDER BY xact DESC, sequence DESC LIMIT 1) AS e ON true
"""


def note_verified(connection: Connection) -> None:
    """Note that everything until now is verified: the auditor would have done it while the history happened."""
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (VERIFICATION_LOCK,))
    connection.exec_driver_sql(NOTE_VERIFIED)
