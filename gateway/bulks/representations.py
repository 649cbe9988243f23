"""The JSON of bulk lines and bank accounts, and the headers of bulks."""

from typing import Any

from gateway.auth.tokens import Caller
from gateway.http.etag import etag
from models.bank_account import BankAccount
from models.bulk import Bulk, BulkKind
from models.bulk_line import LineView
from models.representations import failure_body
from models.rules.money import render

PATHS = {BulkKind.TRANSFERS.value: "/v1/bulk-transfers", BulkKind.CHARGES.value: "/v1/bulk-charges"}


def bulk_headers(bulk: Bulk, caller: Caller) -> dict[str, str]:
    """ETag, Location, and Retry-After while the bulk is not final."""
    headers = {"ETag": etag(bulk.version, caller.id), "Location": f"{PATHS[bulk.kind]}/{bulk.id}"}
    if bulk.finalized_at is None:
        headers["Retry-After"] = "1"
    return headers


def line_body(line: LineView, digits: int) -> dict[str, Any]:
    """The line of a bulk, with the state of its payment."""
    return {
        "line": int(line.id),
        "payment": line.payment_id,
        "state": line.state,
        "amount": render(line.amount, digits),
        "counterparty": {"name": line.name, "last4": line.last4},
        "description": line.description,
        "creditor_reference": line.creditor_reference,
        "reference": line.reference,
        "instruction_id": line.instruction_id,
        "end_to_end_id": line.end_to_end_id,
        "scheduled_at": line.scheduled_at.isoformat() if line.scheduled_at else None,
        "failure": failure_body(line.failure_code),
        "finalized_at": line.finalized_at.isoformat() if line.finalized_at else None,
    }


def bank_account_body(account: BankAccount, caller: Caller) -> dict[str, Any]:
    """The bank account; only its owner sees the token of its wallet."""
    return {
        "id": account.id,
        "organization_name": account.organization_name,
        "iban": account.iban,
        "bic": account.bic,
        "wallet": account.token if account.merchant_id == caller.id else None,
        "currency": account.currency,
        "is_active": account.is_active,
        "created_at": account.created_at.isoformat(),
    }
