"""Each operation of the API as a call."""

import secrets

from uuid_utils import compat as uuids
from werkzeug.test import TestResponse

from tests.gateway.harness import ApiHarness, ApiUser

WALLET = "wal_" + "a" * 32


ID = str(uuids.uuid7())


WHY = {"reason": "to see"}


CALLS = {
    "deposits": ("POST", "/v1/deposits", {"wallet": WALLET, "amount": "1.00", "currency": "EUR", "source": "wire"}),
    "transfers": (
        "POST",
        "/v1/transfers",
        {"source": WALLET, "target": WALLET[:-1] + "b", "amount": "1.00", "currency": "EUR"},
    ),
    "charges": ("POST", "/v1/charges", {"wallet": WALLET, "amount": "1.00", "currency": "EUR"}),
    "capture": ("POST", f"/v1/charges/{ID}/capture", {}),
    "void": ("POST", f"/v1/charges/{ID}/void", {}),
    "cancel": ("POST", f"/v1/payments/{ID}/cancel", {}),
    "refunds": ("POST", "/v1/refunds", {"charge": ID, "reason": "duplicate"}),
    "withdrawals": (
        "POST",
        "/v1/withdrawals",
        {"wallet": WALLET, "amount": "1.00", "currency": "EUR", "target": "wallet"},
    ),
    "bank account": ("POST", "/v1/bank-accounts", {"organization_name": 1}),
    "bank accounts": ("GET", "/v1/bank-accounts", None),
    "a bank account": ("GET", f"/v1/bank-accounts/{ID}", None),
    "alter bank account": ("PATCH", f"/v1/bank-accounts/{ID}", {"is_active": True}),
    "bulk transfers": ("POST", "/v1/bulk-transfers", {"credit_transfers": 1}),
    "list bulks": ("GET", "/v1/bulk-transfers", None),
    "a bulk": ("GET", f"/v1/bulk-transfers/{ID}", None),
    "a bulk's lines": ("GET", f"/v1/bulk-transfers/{ID}/lines", None),
    "a bulk's events": ("GET", f"/v1/bulk-transfers/{ID}/events", None),
    "add lines": ("PUT", f"/v1/bulk-transfers/{ID}/lines", {}),
    "close a bulk": ("POST", f"/v1/bulk-transfers/{ID}/close", {}),
    "bulk charges": ("POST", "/v1/bulk-charges", {"charges": 1}),
    "list runs": ("GET", "/v1/bulk-charges", None),
    "a run": ("GET", f"/v1/bulk-charges/{ID}", None),
    "a run's lines": ("GET", f"/v1/bulk-charges/{ID}/lines", None),
    "a run's events": ("GET", f"/v1/bulk-charges/{ID}/events", None),
    "add charges": ("PUT", f"/v1/bulk-charges/{ID}/lines", {}),
    "close a run": ("POST", f"/v1/bulk-charges/{ID}/close", {}),
    "quotes": ("POST", "/v1/quotes", {"source_currency": "EUR", "target_currency": "XAF", "amount": "1.00"}),
    "exchanges": ("POST", "/v1/exchanges", {"source": WALLET, "target": WALLET[:-1] + "b", "quote": ID}),
    "payments": ("GET", "/v1/payments", None),
    "payment": ("GET", f"/v1/payments/{ID}", None),
    "operations": ("GET", f"/v1/payments/{ID}/operations", None),
    "timeline": ("GET", f"/v1/payments/{ID}/timeline", None),
    "receipt": ("GET", f"/v1/payments/{ID}/receipt", None),
    "its events": ("GET", f"/v1/payments/{ID}/events", None),
    "its socket": ("GET", f"/v1/payments/{ID}/socket", None),
    "all events": ("GET", "/v1/events", None),
    "open a wallet": ("POST", "/v1/wallets", {"currency": "EUR", "label": 1}),
    "wallets": ("GET", "/v1/wallets", None),
    "wallet": ("GET", f"/v1/wallets/{WALLET}", None),
    "change a wallet": ("PATCH", f"/v1/wallets/{WALLET}", {"label": "mine"}),
    "rotate a wallet": ("POST", f"/v1/wallets/{WALLET}/rotate", {}),
    "wallet's merchants": ("GET", f"/v1/wallets/{WALLET}/merchants", None),
    "wallet's history": ("GET", f"/v1/wallets/{WALLET}/operations", None),
    "wallet's balance": ("GET", f"/v1/wallets/{WALLET}/balance?at=2026-11-01T00:00:00Z", None),
    "wallet's statement": ("GET", f"/v1/wallets/{WALLET}/statement?month=2026-11", None),
    "currencies": ("GET", "/v1/currencies", None),
    "currency": ("GET", "/v1/currencies/EUR", None),
    "add a currency": ("POST", "/v1/currencies", {"code": 1}),
    "change a currency": ("PATCH", "/v1/currencies/XXX", {"is_active": True}),
    "rates": ("GET", "/v1/exchange-rates", None),
    "tell a rate": ("PUT", "/v1/exchange-rates", {"source": 1}),
    "preview": ("POST", "/v1/commissions/preview", {"type": "transfer", "amount": "1.00", "currency": "EUR"}),
    "me": ("GET", "/v1/me", None),
    "change me": ("PATCH", "/v1/me", {"role": "ops"}),
    "merchant": ("GET", "/v1/merchant", None),
    "change merchant": ("PATCH", "/v1/merchant", {"name": 1}),
    "members": ("GET", "/v1/members", None),
    "change a member": ("PATCH", f"/v1/members/{ID}", {"role": "viewer"}),
    "remove a member": ("DELETE", f"/v1/members/{ID}", None),
    "memberships": ("GET", "/v1/memberships", None),
    "invitations": ("GET", "/v1/invitations", None),
    "invite": ("POST", "/v1/invitations", {"email": 1}),
    "withdraw one": ("DELETE", f"/v1/invitations/{ID}", None),
    "second factor": ("GET", "/v1/second-factor", None),
    "set one up": ("POST", "/v1/second-factor", {"password": 1}),
    "confirm it": ("POST", "/v1/second-factor/confirm", {"code": 1}),
    "recovery codes": ("POST", "/v1/second-factor/recovery-codes", {"code": 1}),
    "disable it": ("POST", "/v1/second-factor/disable", {"code": 1}),
    "prove it": ("POST", "/v1/sessions/current/second-factor", {"code": 1}),
    "sessions": ("GET", "/v1/sessions", None),
    "end a session": ("DELETE", f"/v1/sessions/{ID}", None),
    "end this session": ("DELETE", "/v1/sessions/current", None),
    "end all sessions": ("DELETE", "/v1/sessions", None),
    "keys": ("GET", "/v1/api-keys", None),
    "make a key": ("POST", "/v1/api-keys", {"name": 1}),
    "roll a key": ("POST", f"/v1/api-keys/{ID}/roll", {}),
    "end a key": ("DELETE", f"/v1/api-keys/{ID}", None),
    "make an endpoint": ("POST", "/v1/webhook-endpoints", {"url": 1}),
    "endpoints": ("GET", "/v1/webhook-endpoints", None),
    "an endpoint": ("GET", f"/v1/webhook-endpoints/{ID}", None),
    "alter an endpoint": ("PATCH", f"/v1/webhook-endpoints/{ID}", {"is_active": True}),
    "end an endpoint": ("DELETE", f"/v1/webhook-endpoints/{ID}", None),
    "rotate a secret": ("POST", f"/v1/webhook-endpoints/{ID}/rotate-secret", {}),
    "test an endpoint": ("POST", f"/v1/webhook-endpoints/{ID}/test", {}),
    "deliveries": ("GET", f"/v1/webhook-endpoints/{ID}/deliveries", None),
    "redeliver many": (
        "POST",
        f"/v1/webhook-endpoints/{ID}/redeliver",
        {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"},
    ),
    "a delivery": ("GET", f"/v1/webhook-deliveries/{ID}", None),
    "redeliver": ("POST", f"/v1/webhook-deliveries/{ID}/redeliver", {}),
    "ops: overview": ("GET", "/v1/ops/overview", None),
    "ops: related": ("GET", f"/v1/ops/payments/{ID}/related", None),
    "ops: rails": ("GET", "/v1/ops/rails", None),
    "ops: rail's files": ("GET", "/v1/ops/rails/sepa/files", None),
    "ops: endpoints": ("GET", "/v1/ops/webhook-endpoints", None),
    "ops: endpoint": ("GET", f"/v1/ops/webhook-endpoints/{ID}", None),
    "ops: resend many": (
        "POST",
        f"/v1/ops/webhook-endpoints/{ID}/redeliver",
        {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z", **WHY},
    ),
    "ops: resend": ("POST", f"/v1/ops/webhook-deliveries/{ID}/redeliver", WHY),
    "ops: workers": ("GET", "/v1/ops/workers", None),
    "ops: open items": ("GET", "/v1/ops/open-items", None),
    "ops: assignments": ("GET", "/v1/ops/assignments", None),
    "ops: take": ("POST", "/v1/ops/assignments", {"kind": "parked", "subject": ID}),
    "ops: give back": ("POST", f"/v1/ops/assignments/{ID}/give-back", {}),
    "ops: note": ("POST", f"/v1/ops/payments/{ID}/notes", {"text": "seen"}),
    "ops: search": ("GET", "/v1/ops/search?q=x", None),
    "ops: payments": ("GET", "/v1/ops/payments?parked=true", None),
    "ops: count": ("GET", "/v1/ops/payments/count?parked=true", None),
    "ops: retry": ("POST", f"/v1/ops/payments/{ID}/retry", WHY),
    "ops: retry all": ("POST", "/v1/ops/payments/retry", {"filter": {"parked": True}}),
    "ops: batches": ("GET", "/v1/ops/batches", None),
    "ops: batch": ("GET", f"/v1/ops/batches/{ID}", None),
    "ops: batch's lines": ("GET", f"/v1/ops/batches/{ID}/payments", None),
    "ops: stop a batch": ("POST", f"/v1/ops/batches/{ID}/stop", WHY),
    "ops: retry a batch": ("POST", f"/v1/ops/batches/{ID}/retry", WHY),
    "ops: payment": ("GET", f"/v1/ops/payments/{ID}", None),
    "ops: explain": ("GET", f"/v1/ops/payments/{ID}/explanation", None),
    "ops: cancel": ("POST", f"/v1/ops/payments/{ID}/cancel", WHY),
    "ops: fail": ("POST", f"/v1/ops/payments/{ID}/fail", WHY),
    "ops: capture": ("POST", f"/v1/ops/payments/{ID}/capture", WHY),
    "ops: void": ("POST", f"/v1/ops/payments/{ID}/void", WHY),
    "ops: ask": ("POST", f"/v1/ops/payments/{ID}/ask", WHY),
    "ops: resolve": ("POST", f"/v1/ops/payments/{ID}/resolve", {"outcome": "not_paid", **WHY}),
    "ops: resolutions": ("GET", "/v1/ops/resolutions", None),
    "ops: approve one": ("POST", f"/v1/ops/resolutions/{ID}/approve", {}),
    "ops: reject one": ("POST", f"/v1/ops/resolutions/{ID}/reject", WHY),
    "ops: users": ("GET", "/v1/ops/users", None),
    "ops: user": ("GET", f"/v1/ops/users/{ID}", None),
    "ops: change a user": ("PATCH", f"/v1/ops/users/{ID}", {"is_active": True, **WHY}),
    "ops: reset a factor": ("POST", f"/v1/ops/users/{ID}/reset-second-factor", WHY),
    "ops: invite owner": ("POST", f"/v1/ops/users/{ID}/invitations", {"email": "owner@example.com", **WHY}),
    "ops: uninvite": ("POST", f"/v1/ops/invitations/{ID}/withdraw", WHY),
    "ops: end sessions": ("POST", f"/v1/ops/users/{ID}/end-sessions", WHY),
    "ops: end keys": ("POST", f"/v1/ops/users/{ID}/end-api-keys", WHY),
    "ops: operations": ("GET", f"/v1/ops/accounts/{ID}/operations", None),
    "ops: balances": ("GET", f"/v1/ops/balances?account={ID}", None),
    "ops: accounts": ("GET", "/v1/ops/accounts", None),
    "ops: audit": ("GET", "/v1/ops/audit", None),
    "ops: adjustments": ("GET", "/v1/ops/adjustments", None),
    "ops: adjust": ("POST", "/v1/ops/adjustments", {"account": 1}),
    "ops: approve": ("POST", f"/v1/ops/adjustments/{ID}/approve", {}),
    "ops: reconcile": ("POST", "/v1/ops/reconciliations", {}),
    "ops: statements": ("GET", "/v1/ops/reconciliations", None),
    "ops: dismiss": ("POST", f"/v1/ops/reconciliations/{ID}/lines/1/dismiss", {"category": "fee", **WHY}),
    "ops: reconciled": ("GET", f"/v1/ops/reconciliations/{ID}", None),
    "ops: lines": ("GET", f"/v1/ops/reconciliations/{ID}/lines", None),
    "ops: match": ("POST", f"/v1/ops/reconciliations/{ID}/lines/1/match", {"payment": ID, **WHY}),
    "ops: reject": ("POST", f"/v1/ops/adjustments/{ID}/reject", {"reason": "No"}),
    "ops: breaches": ("GET", "/v1/ops/breaches", None),
    "ops: acknowledge": ("POST", "/v1/ops/breaches/1/acknowledge", WHY),
    "ops: closing": ("GET", "/v1/ops/closing?month=2026-11", None),
    "own closing": ("GET", "/v1/closing?month=2026-11", None),
    "ops: freezes": ("GET", "/v1/ops/freezes", None),
    "ops: freeze": ("POST", "/v1/ops/freezes", {"account": 1}),
    "ops: thaw": ("POST", f"/v1/ops/freezes/{ID}/thaw", WHY),
    "ops: pauses": ("GET", "/v1/ops/pauses", None),
    "ops: pause": ("POST", "/v1/ops/pauses", {"type": 1}),
    "ops: resume": ("POST", f"/v1/ops/pauses/{ID}/resume", WHY),
    "ops: terms": ("GET", "/v1/ops/commission-terms", None),
    "ops: new terms": ("POST", "/v1/ops/commission-terms", {"type": 1}),
    "ops: commissions": ("GET", "/v1/ops/commissions?from=2026-11-01&to=2026-11-02", None),
}


MOVES_MONEY = {
    *("deposits", "transfers", "charges", "capture", "void", "cancel", "refunds"),
    *("withdrawals", "quotes", "exchanges"),
    *("bank account", "alter bank account", "bulk transfers", "add lines", "close a bulk"),
    *("bulk charges", "add charges", "close a run"),
}
"""Calls whose scope requires a confirmed e-mail address."""


def rule_of(api: ApiHarness, call: str) -> tuple[str, str]:
    """Method and route of a call."""
    method, path, _ = CALLS[call]
    adapter = api.app.url_map.bind("")
    return method, adapter.match(path.partition("?")[0], method, return_rule=True)[0].rule


def do(person: ApiUser, call: str) -> TestResponse:
    method, path, body = CALLS[call]
    if body is None:
        return person.call(method, path)
    return person.call(method, path, json=body, headers={"Idempotency-Key": secrets.token_hex(8), "If-Match": "*"})
