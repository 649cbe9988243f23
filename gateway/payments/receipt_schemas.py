"""Schemas of receipts; hashes, salts and signatures are hexadecimal digits."""

import marshmallow as ma

from gateway.http.schemas import Output
from models.rules.types import OperationKind


class PathStepSchema(Output):
    """A step to the root of a tree of hashes: the hashes that are hashed together with the one from below."""

    position = ma.fields.Integer(metadata={"description": "The place of the hash from below among them, from 0."})
    hashes = ma.fields.List(
        ma.fields.String(),
        metadata={"description": "The other hashes that are hashed with the one from below, in order."},
    )


class ReceiptOperationSchema(Output):
    """An operation as it was hashed; that of another user's account has only line and hash."""

    line = ma.fields.Integer()
    hash = ma.fields.String(metadata={"description": "Its hash, of which the payment's hash is made."})
    salt = ma.fields.String(
        allow_none=True,
        metadata={
            "description": "16 random bytes that are hashed with it, so that hidden operations cannot be guessed."
        },
    )
    account = ma.fields.UUID(allow_none=True, metadata={"description": "The id of the account."})
    amount_minor = ma.fields.String(
        allow_none=True, metadata={"description": "The change of the account's balance in minor units."}
    )
    currency = ma.fields.String(allow_none=True, metadata={"description": "The currency of the account."})
    kind = ma.fields.String(allow_none=True, metadata={"enum": [*OperationKind, None]})
    balance_after_minor = ma.fields.String(
        allow_none=True, metadata={"description": "The account's balance after it, in minor units."}
    )
    account_seq = ma.fields.Integer(
        allow_none=True, metadata={"description": "The number of the operation among those of its account."}
    )


class ReceiptBatchSchema(Output):
    """The batch that the payment was posted in, and the path from the payment to its root."""

    path = ma.fields.List(
        ma.fields.Nested(PathStepSchema), metadata={"description": "The steps from the hash below to the root."}
    )
    number = ma.fields.Integer(metadata={"description": "The number in the chain."})
    previous_hash = ma.fields.String(metadata={"description": "The hash of the one before in the chain."})
    posted_at = ma.fields.DateTime(
        metadata={"description": "When the batch was posted; also the time of its operations."}
    )


class ReceiptCheckpointSchema(Output):
    """The signed checkpoint that covers the batch, and the path from the batch to its root."""

    path = ma.fields.List(
        ma.fields.Nested(PathStepSchema), metadata={"description": "The steps from the hash below to the root."}
    )
    number = ma.fields.Integer(metadata={"description": "The number in the chain."})
    first_batch = ma.fields.Integer(metadata={"description": "The number of the first batch that is covered."})
    last_batch = ma.fields.Integer(metadata={"description": "The number of the last batch that is covered."})
    previous_hash = ma.fields.String(metadata={"description": "The hash of the one before in the chain."})
    signed_at = ma.fields.DateTime(metadata={"description": "When it was signed."})
    key = ma.fields.String(metadata={"description": "The id of the public key."})
    signature = ma.fields.String(metadata={"description": "The Ed25519 signature."})


class ReceiptSchema(Output):
    """Proof that a payment was posted; docs/receipts.md has the format, and how to verify it."""

    payment = ma.fields.UUID()
    operations = ma.fields.List(
        ma.fields.Nested(ReceiptOperationSchema), metadata={"description": "The payment's operations in order."}
    )
    batch = ma.fields.Nested(ReceiptBatchSchema, metadata={"description": "The batch that the payment was posted in."})
    checkpoint = ma.fields.Nested(
        ReceiptCheckpointSchema, metadata={"description": "The signed checkpoint that covers the batch."}
    )


class ReceiptKeySchema(Output):
    """A public key that receipts are verified against; base64."""

    id = ma.fields.String()
    public_key = ma.fields.String(metadata={"description": "The 32 bytes of the Ed25519 key in base64."})
    created_at = ma.fields.DateTime()
