"""Posted batches as they are chained by hash, and whether their operations are still those that were hashed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Connection, Row

from models import archive, pg_arrays
from models.archive import KeptHash
from models.breach import Breach
from models.rules.ledger_chain import (
    MARK_BYTES,
    SALT_BYTES,
    BatchHashes,
    OperationText,
    batch_hash,
    batch_hashes,
    hashes_beside,
)

FOLLOWS = "every batch follows the one before it"
UNCHANGED = "the operations of a batch are those that were hashed when it was posted"
STILL_THERE = "a batch that was verified is still there, with the same hash"
CHAINED = "every operation is in a batch, or was posted before the first"
BEGINNING = "what was posted before the first batch is unchanged"


class LedgerBatch(NamedTuple):
    """A posted batch: its payments in order, a salt for each of their operations, and its place in the chain.

    `marks` are the first bytes of each payment's hash, `root` is over all of them.
    """

    number: int
    previous_hash: bytes
    posted_at: datetime
    payments: list[str]
    salts: bytes
    marks: bytes
    root: bytes
    hash: bytes


class PostedOperation(NamedTuple):
    """An operation as it is hashed, and when it was posted."""

    text: OperationText
    created_at: datetime


_BATCH = """
SELECT number, previous_hash, posted_at, payments::text[], salts, marks, root, hash FROM ledger_batches
"""


def page(connection: Connection, after: int, limit: int) -> list[LedgerBatch]:
    """The batches after the one of this number, in order."""
    return _batches(connection, "WHERE number > %s ORDER BY number LIMIT %s", (after, limit))


def by_number(connection: Connection, number: int) -> LedgerBatch | None:
    """The batch of this number."""
    return next(iter(_batches(connection, "WHERE number = %s", (number,))), None)


def newest(connection: Connection) -> int:
    """Number of the newest batch; -1 without any."""
    number: int = connection.exec_driver_sql("SELECT coalesce(max(number), -1) FROM ledger_batches").scalar_one()
    return number


def containing(connection: Connection, payment_id: str) -> LedgerBatch | None:
    """The batch that the payment was posted in; None if it has no operations or was posted before the first."""
    condition = """WHERE posted_at = (SELECT created_at FROM operations WHERE payment_id = %(id)s LIMIT 1)
                     AND payments @> ARRAY[%(id)s::uuid]"""
    return next(iter(_batches(connection, condition, {"id": payment_id})), None)


def operations_of(connection: Connection, payment_ids: Iterable[str]) -> dict[str, list[PostedOperation]]:
    """The operations of the payments, by payment, in order."""
    rows = connection.exec_driver_sql(
        "SELECT payment_id::text, line, account_id::text, amount, currency, kind, balance_after, account_seq,"
        " created_at FROM operations o WHERE payment_id = ANY(%s::uuid[]) ORDER BY o.payment_id, line",
        (pg_arrays.plain(payment_ids),),
    )
    return {
        id: [PostedOperation(tuple(row[1:8]), row[8]) for row in some] for id, some in groupby(rows, key=itemgetter(0))
    }


def hashes(
    batch: LedgerBatch, operations: dict[str, list[PostedOperation]], gone: Mapping[str, KeptHash | None]
) -> BatchHashes:
    """The hashes of the batch with these operations; of payments that are `gone` their kept hashes."""
    payments = [(id, [o.text for o in operations.get(id, ())]) for id in batch.payments]
    known = {id: kept for id in batch.payments if (kept := gone.get(id))}
    return hashes_beside(payments, batch.salts, known) if known else batch_hashes(payments, batch.salts)


def leaves(connection: Connection, number: int) -> list[tuple[str, int, bytes]]:
    """Each payment of the batch, in order, with the number of its operations and its hash."""
    batch = by_number(connection, number)
    if batch is None:
        return []
    operations, gone = operations_of(connection, batch.payments), archive.gone(connection, batch.payments)
    found = hashes(batch, operations, gone).leaves
    return [(id, len(operations.get(id, ())), leaf) for id, leaf in zip(batch.payments, found, strict=True)]


def broken(connection: Connection, before: LedgerBatch | None, batches: Sequence[LedgerBatch]) -> Iterator[Breach]:
    """Breaches of these batches, which follow `before`: of the chain, and of the operations that were hashed."""
    ids = [id for batch in batches for id in batch.payments]
    operations, gone = operations_of(connection, ids), archive.gone(connection, ids)
    for batch in batches:
        follows = before is not None and (batch.number - 1, batch.previous_hash) == (before.number, before.hash)
        computed = batch_hash(batch.number, batch.previous_hash, batch.posted_at, batch.root)
        if computed != batch.hash or not (follows or batch.number == 0):
            yield Breach(FOLLOWS, f"batch {batch.number}", {"after": before.number if before else None})
        if batch.number and not gone.keys() >= set(batch.payments):
            yield from _changed(batch, operations, gone)
        before = batch


def _changed(
    batch: LedgerBatch, operations: dict[str, list[PostedOperation]], gone: Mapping[str, KeptHash | None]
) -> Iterator[Breach]:
    """The payments of the batch whose operations changed; the batch itself if none of them explains its root.

    Of those that are archived the kept hashes are compared.
    """
    payments = {id: operations.get(id, []) for id in batch.payments}
    kept = {id: kept for id in payments if (kept := gone.get(id))}
    lines = sum(kept[id].operations if id in kept else len(some) for id, some in payments.items())
    found = {
        id
        for id, some in payments.items()
        if id not in kept and (not some or any(o.created_at != batch.posted_at for o in some))
    }
    if lines * SALT_BYTES == len(batch.salts):
        computed = hashes(batch, operations, gone)
        marks = computed.marks
        if computed.root == batch.root and marks == batch.marks and not found:
            return
        found |= {id for place, id in enumerate(batch.payments) if _mark(marks, place) != _mark(batch.marks, place)}
    elif not found:
        found = set(_lengthened(batch, payments, kept))
    details = {"batch": batch.number}
    for id in sorted(found):
        yield Breach(UNCHANGED, id, details)
    if not found:
        yield Breach(UNCHANGED, f"batch {batch.number}", details)


def _mark(marks: bytes, place: int) -> bytes:
    return marks[place * MARK_BYTES : (place + 1) * MARK_BYTES]


def _lengthened(
    batch: LedgerBatch, payments: dict[str, list[PostedOperation]], kept: Mapping[str, KeptHash]
) -> Iterator[str]:
    """The first payment that has more or fewer operations than were hashed: what is after it has shifted salts."""
    place = 0
    for number, (id, some) in enumerate(payments.items()):
        if id in kept:
            place += kept[id].operations * SALT_BYTES
            continue
        salts = batch.salts[place : place + len(some) * SALT_BYTES]
        one = batch_hashes([(id, [o.text for o in some])], salts).marks
        if one != _mark(batch.marks, number):
            yield id
            return
        place += len(salts)


def unchained(connection: Connection, payment_ids: Iterable[str] | None, limit: int) -> list[Breach]:
    """Payments with operations that no batch has: of these payments, or of all."""
    some = "" if payment_ids is None else "AND o.payment_id = ANY(%(ids)s::uuid[])"
    chained = (
        "NOT EXISTS (SELECT FROM (SELECT unnest(payments) AS id FROM ledger_batches) b WHERE b.id = o.payment_id)"
        if payment_ids is None
        else "NOT EXISTS (SELECT FROM ledger_batches b"
        " WHERE b.posted_at = o.created_at AND o.payment_id = ANY(b.payments))"
    )
    rows = connection.exec_driver_sql(
        "SELECT DISTINCT o.payment_id::text FROM operations o"
        " WHERE o.created_at > coalesce((SELECT posted_at FROM ledger_batches WHERE number = 0), '-infinity')"
        f" {some} AND {chained} LIMIT %(limit)s",
        {"ids": None if payment_ids is None else pg_arrays.plain(payment_ids), "limit": limit},
    )
    return [Breach(CHAINED, row[0], {}) for row in rows]


def is_beginning_unchanged(connection: Connection) -> bool:
    """Whether the operations of before the first batch are those whose hash it has; reads all of them.

    Not known any more when some of them are archived.
    """
    return bool(
        connection.exec_driver_sql(
            "SELECT coalesce(bool_and(root = ledger_genesis_root(posted_at)"
            " OR EXISTS (SELECT FROM archived_runs WHERE began_at <= posted_at)), false)"
            " FROM ledger_batches WHERE number = 0"
        ).scalar_one()
    )


def _batches(connection: Connection, condition: str, parameters: object) -> list[LedgerBatch]:
    return [_batch(row) for row in connection.exec_driver_sql(_BATCH + condition, parameters)]  # type: ignore[arg-type]


def _batch(row: Row) -> LedgerBatch:
    number, previous, posted_at, payments, *columns = row
    return LedgerBatch(number, bytes(previous), posted_at, payments, *map(bytes, columns))
