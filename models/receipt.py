"""Verifies a receipt offline: `python -m models.receipt verify RECEIPT`.

RECEIPT is the answer of GET /v1/payments/{id}/receipt. The answer of GET /v1/receipt-keys, fetched once from a place
that you trust, is in receipt-keys.json, or in the file that --keys names. Needs this file and the library
`cryptography` alone; docs/receipts.md has the format.
"""

import argparse
import base64
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEYS = Path("receipt-keys.json")
"""Public keys, unless --keys names another file."""

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RECEIPT = {"payment", "operations", "batch", "checkpoint"}
MEMBERS = ("salt", "line", "account", "amount_minor", "currency", "kind", "balance_after_minor", "account_seq")


class ReceiptForged(Exception):
    """The receipt does not prove what it says."""


def verify(receipt: dict[str, Any], keys: dict[str, bytes]) -> None:
    """Verify a receipt against the public keys, by id; raises ReceiptForged."""
    if receipt.keys() != RECEIPT or UUID_TEXT.fullmatch(str(receipt["payment"])) is None:
        raise ReceiptForged("it is not of the form of a receipt")
    try:
        hashes = b"".join(_operation(line, operation) for line, operation in enumerate(receipt["operations"]))
        batch, checkpoint = receipt["batch"], receipt["checkpoint"]
        root = _climb(sha256(f"payment {receipt['payment']}".encode() + hashes).digest(), batch["path"])
        micros = (datetime.fromisoformat(batch["posted_at"]) - EPOCH) // timedelta(microseconds=1)
        numbers = [number.to_bytes(8, "big", signed=True) for number in (batch["number"], micros)]
        previous = bytes.fromhex(batch["previous_hash"])
        root = _climb(sha256(b"batch " + numbers[0] + previous + numbers[1] + root).digest(), checkpoint["path"])
        members = [str(checkpoint[name]) for name in ("number", "first_batch", "last_batch")]
        text = " ".join(["checkpoint", *members, root.hex(), checkpoint["previous_hash"], checkpoint["signed_at"]])
        if not checkpoint["first_batch"] <= batch["number"] <= checkpoint["last_batch"]:
            raise ReceiptForged("the checkpoint covers other batches")
        key = Ed25519PublicKey.from_public_bytes(keys[checkpoint["key"]])
        key.verify(bytes.fromhex(checkpoint["signature"]), text.encode())
    except InvalidSignature as error:
        raise ReceiptForged("the signature is of something else") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ReceiptForged(f"a member is missing or malformed: {error!r}") from error


def _operation(line: int, operation: dict[str, Any]) -> bytes:
    """Hash of an operation; where its values are disclosed, it must be theirs."""
    stated = bytes.fromhex(operation["hash"])
    values = [operation[name] for name in MEMBERS]
    if operation.keys() != {*MEMBERS, "hash"} or operation["line"] != line or len(stated) != len(sha256().digest()):
        raise ReceiptForged("the operations are not in order")
    is_hidden = values.count(None) == len(MEMBERS) - 1
    if not is_hidden and sha256(f"operation {' '.join(map(str, values))}".encode()).digest() != stated:
        raise ReceiptForged(f"operation {line} is not the one that was posted")
    return stated


def _climb(hash: bytes, path: list[dict[str, Any]]) -> bytes:
    """The root that the path leads to."""
    for step in path:
        group = [bytes.fromhex(other) for other in step["hashes"]]
        if not 0 <= step["position"] <= len(group) or any(len(other) != len(hash) for other in group):
            raise ReceiptForged("a step of the path is malformed")
        group.insert(step["position"], hash)
        hash = sha256(b"node " + b"".join(group)).digest()
    return hash


def main() -> int:
    """Exit with 0 if the receipt is genuine."""
    parser = argparse.ArgumentParser(prog="models.receipt", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("command", choices=["verify"])
    parser.add_argument("receipt", type=Path)
    parser.add_argument("--keys", type=Path, default=KEYS, help="the answer of GET /v1/receipt-keys; %(default)s")
    options = parser.parse_args()
    for file in (options.receipt, options.keys):
        if not file.is_file():
            parser.error(f"there is no file {file}")
    known = {key["id"]: base64.b64decode(key["public_key"]) for key in json.loads(options.keys.read_text())["data"]}
    try:
        verify(json.loads(options.receipt.read_text()), known)
    except (ReceiptForged, ValueError) as error:
        sys.stdout.write(f"FORGED: {error}\n")
        return 1
    sys.stdout.write("genuine\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
