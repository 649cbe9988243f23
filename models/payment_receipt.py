"""Receipts: a payment's operations as they were posted, with the proof that a signed checkpoint covers them."""

from collections.abc import Collection, Mapping
from datetime import UTC
from typing import Any

from sqlalchemy import Connection

from models import archive, checkpoint, ledger_batch
from models.archive import KeptHash
from models.ledger_batch import LedgerBatch, PostedOperation
from models.rules import ledger_chain
from models.rules.ledger_chain import SALT_BYTES, PathStep


class NotCovered(Exception):
    """The payment is not covered by a signed checkpoint; `is_later` if it will be."""

    def __init__(self, *, is_later: bool) -> None:
        super().__init__("no signed checkpoint covers the payment")
        self.is_later = is_later


def receipt(connection: Connection, payment_id: str, shown_accounts: Collection[str] | None) -> dict[str, Any]:
    """The receipt of a payment; raises NotCovered.

    Operations of accounts that are not `shown_accounts` (None: of any) have only their hash, which is salted: neither
    account nor amount nor balance can be guessed from it.
    """
    batch = ledger_batch.containing(connection, payment_id)
    if batch is None:
        raise NotCovered(is_later=False)
    signed = checkpoint.covering(connection, batch.number)
    if signed is None:
        raise NotCovered(is_later=True)
    operations, gone = ledger_batch.operations_of(connection, batch.payments), archive.gone(connection, batch.payments)
    place = batch.payments.index(payment_id)
    leaves = ledger_batch.hashes(batch, operations, gone).leaves
    covered = checkpoint.hashes(connection, signed.first_batch, signed.last_batch)
    return {
        "payment": payment_id,
        "operations": _operations(batch, place, operations, gone, shown_accounts),
        "batch": {
            "path": _path(ledger_chain.path(leaves, place)),
            "number": batch.number,
            "previous_hash": batch.previous_hash.hex(),
            "posted_at": batch.posted_at.astimezone(UTC).isoformat(timespec="microseconds"),
        },
        "checkpoint": {
            "path": _path(ledger_chain.path(covered, batch.number - signed.first_batch)),
            "number": signed.number,
            "first_batch": signed.first_batch,
            "last_batch": signed.last_batch,
            "previous_hash": signed.previous_hash.hex(),
            "signed_at": signed.signed_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "key": signed.key_id,
            "signature": signed.signature.hex(),
        },
    }


def _operations(
    batch: LedgerBatch,
    place: int,
    operations: dict[str, list[PostedOperation]],
    gone: Mapping[str, KeptHash | None],
    shown: Collection[str] | None,
) -> list[dict[str, Any]]:
    """The payment's operations, in the order in which they are hashed."""
    before = sum(
        kept.operations if (kept := gone.get(id)) else len(operations.get(id, ())) for id in batch.payments[:place]
    )
    own = operations.get(batch.payments[place], [])
    salts = ledger_chain.split_salts(batch.salts[before * SALT_BYTES : (before + len(own)) * SALT_BYTES])
    rows = []
    for operation, salt in zip(own, salts, strict=True):
        line, account, amount, currency, kind, balance, seq = operation.text
        values = {
            "salt": salt,
            "account": account,
            "amount_minor": str(amount),
            "currency": currency,
            "kind": kind,
            "balance_after_minor": str(balance),
            "account_seq": seq,
        }
        if shown is not None and account not in shown:
            values = dict.fromkeys(values)
        rows.append({"line": line, "hash": ledger_chain.operation_hash(salt, operation.text).hex(), **values})
    return rows


def _path(steps: list[PathStep]) -> list[dict[str, Any]]:
    return [{"position": step.position, "hashes": [hash.hex() for hash in step.others]} for step in steps]
