"""Checkpoints: signatures over the chain of batches, each over those that came since the one before."""

import base64
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, Row

from models.records import record, records
from models.rules.ledger_chain import levels

BATCHES_MAX = 4_096
"""Bound on the batches of a checkpoint: making a receipt reads all their hashes."""

HEX_LENGTH = 64
STANDARD = str.maketrans("-_", "+/")
"""The letters of base64 in URLs, as the others."""

KEY_ID_LENGTH = 16


class SigningKey:
    """The private key that signs checkpoints, from its 32 bytes in hexadecimal digits or base64."""

    def __init__(self, seed: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - 5 MB

        is_hex = len(seed) == HEX_LENGTH
        self._key = Ed25519PrivateKey.from_private_bytes(
            bytes.fromhex(seed) if is_hex else base64.b64decode(f"{seed.rstrip('=')}=".translate(STANDARD))
        )
        self.public_key = self._key.public_key().public_bytes_raw()
        self.id = sha256(self.public_key).hexdigest()[:KEY_ID_LENGTH]

    def sign(self, text: bytes) -> bytes:
        """The Ed25519 signature of the text."""
        return self._key.sign(text)


class Checkpoint(NamedTuple):
    """A signature over batches: `root` is over their hashes, `hash` is that of the text that is signed."""

    number: int
    first_batch: int
    last_batch: int
    root: bytes
    previous_hash: bytes
    signed_at: datetime
    key_id: str
    hash: bytes
    signature: bytes


class ReceiptKey(NamedTuple):
    """A public key, and when it first signed."""

    id: str
    public_key: str
    created_at: datetime


def text(number: int, first: int, last: int, root: bytes, previous: bytes, signed_at: datetime) -> bytes:
    """The text that is signed."""
    at = signed_at.astimezone(UTC).isoformat(timespec="microseconds")
    return f"checkpoint {number} {first} {last} {root.hex()} {previous.hex()} {at}".encode()


_CHECKPOINT = """
SELECT number, first_batch, last_batch, root, previous_hash, signed_at, key_id, hash, signature FROM checkpoints
"""


def newest(connection: Connection) -> Checkpoint | None:
    """The newest checkpoint."""
    return _only(connection.exec_driver_sql(f"{_CHECKPOINT} ORDER BY number DESC LIMIT 1").first())


def covering(connection: Connection, batch: int) -> Checkpoint | None:
    """The checkpoint that covers the batch of this number; None while there is none."""
    statement = f"{_CHECKPOINT} WHERE last_batch >= %s ORDER BY last_batch LIMIT 1"
    return _only(connection.exec_driver_sql(statement, (batch,)).first())


def page(connection: Connection, after: int, limit: int) -> list[Checkpoint]:
    """Checkpoints after the one of this number, in order."""
    rows = connection.exec_driver_sql(f"{_CHECKPOINT} WHERE number > %s ORDER BY number LIMIT %s", (after, limit))
    return [_checkpoint(row) for row in rows]


def hashes(connection: Connection, first: int, last: int) -> list[bytes]:
    """The hashes of these batches, in order."""
    rows = connection.exec_driver_sql(
        "SELECT hash FROM ledger_batches WHERE number BETWEEN %s AND %s ORDER BY number", (first, last)
    )
    return [bytes(row[0]) for row in rows]


def sign_next(connection: Connection, key: SigningKey, last_verified: int) -> Checkpoint | None:
    """Sign the batches since the newest checkpoint, up to the last verified one; None if there is none to sign."""
    before = newest(connection)
    first = before.last_batch + 1 if before else 0
    covered = hashes(connection, first, min(last_verified, first + BATCHES_MAX - 1))
    if not covered:
        return None
    number, previous = (before.number + 1, before.hash) if before else (1, bytes(sha256().digest_size))
    signed_at: datetime = connection.exec_driver_sql("SELECT now()").scalar_one()
    root, last = levels(covered)[-1][0], first + len(covered) - 1
    signed = text(number, first, last, root, previous, signed_at)
    connection.exec_driver_sql(
        "INSERT INTO receipt_keys (id, public_key) VALUES (%s, %s) ON CONFLICT DO NOTHING", (key.id, key.public_key)
    )
    new = Checkpoint(number, first, last, root, previous, signed_at, key.id, sha256(signed).digest(), key.sign(signed))
    connection.exec_driver_sql(
        "INSERT INTO checkpoints"
        " (number, first_batch, last_batch, root, previous_hash, signed_at, key_id, hash, signature)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        tuple(new),
    )
    return new


_KEY = "SELECT id, encode(public_key, 'base64') AS public_key, created_at FROM receipt_keys"


def keys(connection: Connection) -> list[ReceiptKey]:
    """The public keys, newest first."""
    return records(ReceiptKey, connection.exec_driver_sql(f"{_KEY} ORDER BY created_at DESC, id"))


def key_by_id(connection: Connection, id: str) -> ReceiptKey | None:
    """The public key of this id."""
    return record(ReceiptKey, connection.exec_driver_sql(f"{_KEY} WHERE id = %s", (id,)))


def _only(row: Row | None) -> Checkpoint | None:
    return None if row is None else _checkpoint(row)


def _checkpoint(row: Row) -> Checkpoint:
    number, first, last, root, previous, signed_at, key_id, hash, signature = row
    return Checkpoint(
        number, first, last, bytes(root), bytes(previous), signed_at, key_id, bytes(hash), bytes(signature)
    )
