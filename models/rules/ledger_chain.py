"""Hashes over operations: each is salted, those of a payment are one leaf, and those of a batch a tree of leaves.

A reader of a payment's operations, or of some of them and the hashes of the others, computes the root from them and the
hashes beside them. docs/receipts.md has the format.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

FAN_OUT = 16
"""Hashes that make one of the next level: a root of 500 leaves is 35 hashes more, where pairs would be 499."""

SALT_BYTES = 16
MARK_BYTES = 4

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL's: a time is hashed as the microseconds since then."""

OperationText = tuple[int, str, int, str, str, int, int]
"""Line, account, amount, currency, kind, balance_after and account_seq of an operation."""


class BatchHashes(NamedTuple):
    """The hash of each payment of a batch, in order, and the root over them."""

    leaves: list[bytes]
    root: bytes

    @property
    def marks(self) -> bytes:
        """The beginning of each payment's hash."""
        return b"".join([leaf[:MARK_BYTES] for leaf in self.leaves])


def operation_hash(salt: str, operation: OperationText) -> bytes:
    """Hash of an operation; its salt is in hexadecimal digits."""
    line, account, amount, currency, kind, balance, seq = operation
    return sha256(f"operation {salt} {line} {account} {amount} {currency} {kind} {balance} {seq}".encode()).digest()


def payment_hash(payment_id: str, operations: Iterable[bytes]) -> bytes:
    """Hash of a payment, by its id and the hashes of its operations in order."""
    return sha256(f"payment {payment_id}".encode() + b"".join(operations)).digest()


def batch_hashes(payments: Iterable[tuple[str, Sequence[OperationText]]], salts: bytes) -> BatchHashes:
    """The hashes of a batch: of each payment by id and operations; `salts` are of all operations in order."""
    each = iter(split_salts(salts))
    leaves = [
        sha256(
            f"payment {id}".encode()
            + b"".join(
                [
                    sha256(f"operation {s} {line} {account} {n} {currency} {kind} {b} {seq}".encode()).digest()
                    for (line, account, n, currency, kind, b, seq), s in zip(operations, each, strict=False)
                ]
            )
        ).digest()
        for id, operations in payments
    ]
    return BatchHashes(leaves, levels(leaves)[-1][0] if leaves else bytes(sha256().digest_size))


def hashes_beside(
    payments: Iterable[tuple[str, Sequence[OperationText]]], salts: bytes, known: Mapping[str, tuple[int, bytes]]
) -> BatchHashes:
    """The hashes of a batch, of which those `known` have only their number of operations and their hash."""
    leaves: list[bytes] = []
    place = 0
    for id, operations in payments:
        number, leaf = known.get(id) or (len(operations), b"")
        own = salts[place * SALT_BYTES : (place + number) * SALT_BYTES]
        leaves.append(leaf or batch_hashes([(id, operations)], own).leaves[0])
        place += number
    return BatchHashes(leaves, levels(leaves)[-1][0])


def batch_hash(number: int, previous_hash: bytes, posted_at: datetime, root: bytes) -> bytes:
    """Hash of a batch in the chain, as the database's function `ledger_batch_hash`."""
    micros = (posted_at - EPOCH) // timedelta(microseconds=1)
    return sha256(
        b"batch " + number.to_bytes(8, "big") + previous_hash + micros.to_bytes(8, "big", signed=True) + root
    ).digest()


def split_salts(salts: bytes) -> list[str]:
    """Each salt in hexadecimal digits."""
    return salts.hex(" ", SALT_BYTES).split()


def levels(leaves: list[bytes]) -> list[list[bytes]]:
    """The tree: the leaves, then each level of hashes over up to FAN_OUT of the level below, up to the root alone."""
    tree = [leaves]
    while len(leaves) > 1:
        leaves = [
            sha256(b"node " + b"".join(leaves[first : first + FAN_OUT])).digest()
            for first in range(0, len(leaves), FAN_OUT)
        ]
        tree.append(leaves)
    return tree


class PathStep(NamedTuple):
    """A step to the root: the hashes that are hashed together with the one from below, and where that is put in."""

    position: int
    others: list[bytes]


def path(leaves: list[bytes], index: int) -> list[PathStep]:
    """The steps from the leaf to the root."""
    steps = []
    for level in levels(leaves)[:-1]:
        first = index - index % FAN_OUT
        group = level[first : first + FAN_OUT]
        steps.append(PathStep(index - first, group[: index - first] + group[index - first + 1 :]))
        index //= FAN_OUT
    return steps
