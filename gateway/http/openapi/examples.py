"""An example of every body, put together from an example of each member."""

import json
from collections.abc import Iterator
from typing import Any

from gateway.http.errors import MEDIA_TYPE

Schema = dict[str, Any]

ID = "019ace1f-6d3e-7b52-9c0a-3f1d2b8e4a67"
TIME = "2026-01-31T12:00:00+00:00"
WALLET = "wal_4kq2PzT7mWcX9vRb1sLd8e"
IBAN = "DE89370400440532013000"
HASH = "5f" * 32

VALUES: dict[str, Any] = {
    "Reconciliation.account": IBAN,
    "SetAside.pointer": "/lines/3/amount",
    "SetAside.code": "amount_invalid",
    "SetAside.detail": 'An amount is a plain decimal string such as "10.00".',
    "CloseInput.lines": 1500,
    "Batch.filter": {"parked": True},
    "BatchDetail.filter": {"parked": True},
    **dict.fromkeys(("Batch.total", "BatchDetail.total"), 1),
    "SelectionError.error": "OperationalError: out of disk",
    "Breach.id": "42",
    "Breach.invariant": "operations sum to zero per payment and currency",
    "Breach.subject": f"{ID} currency EUR",
    "Breach.details": {"payment_id": ID, "currency": "EUR", "sum": "1"},
    "Breach.acknowledged_by": ID,
    "ReceiptOperation.hash": HASH,
    "ReceiptOperation.salt": HASH[:32],
    "ReceiptOperation.account": ID,
    "ReceiptOperation.currency": "EUR",
    "ReceiptOperation.kind": "transfer",
    "amount_minor": "-1000",
    "balance_after_minor": "9000",
    "account_seq": 7,
    "hashes[]": HASH,
    "previous_hash": HASH,
    "ReceiptCheckpoint.key": HASH[:16],
    "ReceiptKey.id": HASH[:16],
    "public_key": "X19fX19fX19fX19fX19fX19fX19fX19fX19fX19fX18=",
    "signature": HASH * 2,
    "action": "wallets.change",
    "AuditLine.actor": ID,
    "AuditLine.target": ID,
    "address": "192.0.2.7",
    "age_seconds": 1.5,
    **dict.fromkeys(("asked_by", "Resolution.proposed_by"), ID),
    **dict.fromkeys(("ResolveInput.bank_reference", "Resolution.bank_reference"), "E2E-20260131-77"),
    "RefusedAction.code": "money_may_be_outside",
    "RefusedAction.detail": "The bank may have paid it: ask the bank, and resolve it with evidence.",
    "differences[]": "answer",
    "amount": "10.00",
    "arrives": "9.80",
    "attempts": 1,
    "available": "90.00",
    "balance": "100.00",
    "balance_after": None,
    "bic": "COBADEFFXXX",
    "captured_amount": "10.00",
    "charge_limits": [],
    "blocked_merchants": [],
    "closing": "90.00",
    "code": "EUR",
    "CurrencyInput.code": "PTS",
    "commission": "0.20",
    "counterparty_iban": IBAN,
    "counterparty_name": "Ben Example",
    "current_password": "a long pass phrase",
    "currency": "EUR",
    "dry_run": True,
    "description": "Invoice 4711",
    "detail": "See errors.",
    "command": "flask payments parked",
    "HealthProblem.detail": "2 parked",
    "HealthProblem.code": "payments_parked",
    "deliveries": f"/v1/webhook-endpoints/{ID}/deliveries?type=ping",
    "digits": 2,
    "email": "ann@example.com",
    "EventPage.next_cursor": "WyIxIiwyXQ.Q2hlY2tlZA",
    "event_types": ["payment.*"],
    **dict.fromkeys(("Event.id", "PaymentEvent.id", "BulkEvent.id", "EndpointEvent.id"), "42"),
    "PaymentEvent.type": "payment.completed",
    "AuditLine.id": "42",
    "KeptTerms.id": "7",
    "event": "42",
    "Event.type": "payment.completed",
    "Delivery.type": "payment.completed",
    "WholeDelivery.type": "payment.completed",
    "first_name": "Ann",
    "fixed": "0.00",
    "given_back": "0.00",
    "has_more": False,
    "held": "10.00",
    "iban": IBAN,
    "instance": "/v1/charges",
    "is_active": True,
    "is_blocked": False,
    "is_frozen": False,
    "is_open": False,
    "label": "Household",
    "last4": "sLd8",
    "last_name": "Example",
    "message": "The source has too little money.",
    "metadata": {"order": "4711"},
    "minimum": "0.00",
    "MerchantInput.name": "Example Shop",
    "milliseconds": 120,
    "month": "2026-01",
    "name": "Ann Example",
    "CurrencyInput.name": "Points",
    "Currency.name": "Euro",
    "ApiKeyInput.name": "shop server",
    "Worker.name": "posting@host",
    "net": "0.20",
    "Payment.next_attempt_at": None,
    "oldest_due_seconds": 0.0,
    "opening": "100.00",
    "organization_iban": IBAN,
    "organization_name": "Example Ltd",
    "overlap_seconds": 3600,
    "paid": "10.00",
    "received": "0.00",
    "password": "a long pass phrase",
    "percent": "2",
    "phone_number": "+49 30 1234567",
    "prefix": "pay_",
    "paused": None,
    "Status.paused": 0,
    "rail": "sepa",
    "rate": "1.0837",
    "Payment.rate": None,
    "reason": "Asked for by the customer",
    "reference": "order-4711",
    "refunded_amount": "0.00",
    "request_id": "8f14e45fceea167a5a36dedd4bea2543",
    "retryable": False,
    "source_amount": "10.00",
    "source_currency": "EUR",
    "source_name": "European Central Bank",
    "scopes[]": "payments:read",
    "source": WALLET,
    "spread": "0.5",
    "Payment.type": "charge",
    "Payment.state": "COMPLETED",
    "Payment.finalized_at": TIME,
    **dict.fromkeys(("RateInput.source", "Rate.source"), "EUR"),
    **dict.fromkeys(("RateInput.target", "Rate.target"), "USD"),
    "summary": "Order 4711",
    "taken": "0.20",
    "target": "wal_9vRb1sLd8e4kq2PzT7mWcX",
    "target_amount": "9.80",
    "target_currency": "EUR",
    "Quote.target_currency": "USD",
    "QuoteInput.target_currency": "USD",
    "title": "A value is not allowed",
    "RangeInput.to": "2026-02-01T00:00:00Z",
    "token": "pay_0000000000000000000000000000000000000EXAMPL1roi7i",
    **dict.fromkeys(
        ("ConfirmationInput.token", "PasswordResetInput.token"),
        "cfm_0000000000000000000000000000000000000EXAMPL2OKp0b",
    ),
    "total": "10.00",
    "url": "https://shop.example.com",
    "EndpointInput.url": "https://shop.example.com/webhooks",
    "user_agent": "curl/8.5.0",
    "secret": "whsec_ZXhhbXBsZSBvZiBhIHNlY3JldCBmb3Igd2ViaG9va3M=",
    "wallet": WALLET,
    "Wallet.token": WALLET,
    "written_by": "payments_gateway",
}
"""By `member` or `Schema.member`; other examples follow from the schema."""

SHOWN = {
    "AdjustmentInput": ("wallet",),
    "CloseInput": ("lines",),
    "WithdrawalInput": ("iban", "name"),
    "ChargeInput": ("reference", "summary"),
    "LimitInput": ("per_day",),
    "RetriesInput": ("filter",),
    "RetryFilter": ("parked",),
    "FreezeInput": ("account",),
    "PauseInput": ("type",),
    "WalletChange": ("label",),
    "CurrencyChange": ("is_active",),
    "EndpointChange": ("is_active",),
    "MeChange": ("first_name",),
    "CaptureInput": ("amount",),
    "ResolveInput": ("bank_reference", "value_date"),
    "RefundInput": ("amount",),
    "ApprovalInput": ("reason",),
    "ApiKeyInput": ("scopes",),
    "SecretRotationInput": ("overlap_seconds",),
    "RollInput": ("overlap_seconds",),
    "ChargeLine": ("reference",),
    "TransferLine": ("reference",),
}
"""By the schema of a request body: the optional members that its example has."""

TEXTS = {
    ("text/event-stream", ""): 'retry: 2000\nid: 42\nevent: payment.completed\ndata: {"id":"42"}\n\n',
    ("text/html", ""): "<!doctype html>…",
    ("application/xml", ""): '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09">…</Document>',
    ("application/xml", "create_ops_reconciliation"): (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">…</Document>'
    ),
    ("text/csv", "create_ops_reconciliation"): (
        "booked_on,direction,amount,currency,end_to_end_id\r\n2026-01-31,debit,10.00,EUR,order-4711\r\n"
    ),
}
"""Examples of other formats than JSON, by media type and, where it matters, operation."""

LINES = {"add_bulk_transfer_lines": "TransferLine", "add_bulk_charge_lines": "ChargeLine"}
"""The rows of an upload."""

FORMATS = {"uuid": ID, "date-time": TIME, "date": TIME[:10]}


def describe(document: dict[str, Any]) -> None:
    """Add an example to every body, each defined once among the components."""
    schemas, examples = document["components"]["schemas"], document["components"].setdefault("examples", {})
    for item in (*document["paths"].values(), *document["webhooks"].values()):
        for operation in item.values():
            if not isinstance(operation, dict):
                continue
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                _add_to(body.get("content", {}), operation, schemas, examples)


def _add_to(
    content: dict[str, Any], operation: dict[str, Any], schemas: dict[str, Schema], examples: dict[str, Any]
) -> None:
    row = example(LINES[operation["operationId"]], schemas) if operation["operationId"] in LINES else {}
    for media_type, form in content.items():
        if media_type == "application/json":
            name = form["schema"]["$ref"].rpartition("/")[2]
            examples[name] = {"summary": f"An example of {name}.", "value": (body := example(name, schemas))}
            form["examples"] = {name: {"$ref": f"#/components/examples/{name}"}}
            rows = body.get("data", body.get("lines"))
            row = rows[0] if isinstance(rows, list) and rows else body
        elif media_type != MEDIA_TYPE:
            form["example"] = _text(media_type, operation["operationId"], row)


def _text(media_type: str, operation_id: str, row: dict[str, Any]) -> str:
    if media_type == "application/x-ndjson":
        return json.dumps(row) + "\n"
    if media_type == "text/csv" and row:
        cells = dict(_cells(row))
        return "".join(f"{','.join(line)}\r\n" for line in (cells.keys(), cells.values()))
    return TEXTS.get((media_type, operation_id)) or TEXTS[media_type, ""]


def _cells(row: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _cells(value, f"{before}{name}_")
        else:
            yield f"{before}{name}", "" if value is None else value if isinstance(value, str) else json.dumps(value)


def example(name: str, schemas: dict[str, Schema]) -> dict[str, Any]:
    """A body of this schema: its required members, and those that SHOWN adds."""
    schema = schemas[name]
    wanted = {*schema.get("required", ()), *SHOWN.get(name, ())}
    members = schema.get("properties", {}).items()
    return {
        member: _value(name, member, member_schema, schemas) for member, member_schema in members if member in wanted
    }


def _value(name: str, member: str, schema: Schema, schemas: dict[str, Schema]) -> Any:
    """An example of the member; raises LookupError for a text without one in this file."""
    if f"{name}.{member}" in VALUES:
        return VALUES[f"{name}.{member}"]
    if "anyOf" in schema:
        options = schema["anyOf"]
        return None if {"type": "null"} in options else _value(name, member, options[0], schemas)
    if "$ref" in schema:
        return example(schema["$ref"].rpartition("/")[2], schemas)
    types, form = schema.get("type", ()), schema.get("format")
    if form in FORMATS:
        return None if "null" in types else FORMATS[form]
    if "enum" in schema:
        return None if None in schema["enum"] else schema["enum"][0]
    if member in VALUES:
        return VALUES[member]
    if "null" in types:
        return None
    if types == "array":
        return [_value(name, f"{member}[]", schema["items"], schemas)]
    if types == "integer":
        return max(1, schema.get("minimum", 1))
    return {"boolean": True, "number": 0.5, "object": {}}[types]
