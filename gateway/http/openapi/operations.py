"""The operationId, tag and description of every operation."""

import re
from collections.abc import Iterator
from typing import Any

Operation = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "patch")

ACTIONS = {
    *("acknowledge", "approve", "ask", "cancel", "capture", "close", "confirm", "disable", "dismiss", "end-api-keys"),
    *("end-sessions", "fail", "match"),
    "give-back",
    *("redeliver", "reject", "reset-second-factor"),
    *("resolve", "resume", "retry", "roll", "rotate", "rotate-secret", "stop", "test", "thaw", "void"),
    "withdraw",
}
"""Last parts of paths that name an action instead of a resource."""

IRREGULAR = {
    ("put", "/v1/bulk-transfers/{id}/lines"): "add_bulk_transfer_lines",
    ("put", "/v1/bulk-charges/{id}/lines"): "add_bulk_charge_lines",
    ("put", "/v1/exchange-rates"): "set_exchange_rate",
    ("post", "/v1/commissions/preview"): "preview_commission",
    ("post", "/v1/confirmations/resend"): "resend_confirmation",
    ("post", "/v1/password-resets/confirm"): "confirm_password_reset",
    ("post", "/v1/ops/commission-terms"): "create_ops_commission_terms",
    ("post", "/v1/invitations/accept"): "accept_invitation",
    ("post", "/v1/second-factor/recovery-codes"): "create_recovery_codes",
    ("post", "/v1/sessions/current/second-factor"): "prove_second_factor",
    ("delete", "/v1/sessions"): "delete_sessions",
    ("delete", "/v1/sessions/current"): "delete_current_session",
    ("get", "/v1/payments/{id}/events"): "stream_payment_events",
    ("get", "/v1/bulk-transfers/{id}/events"): "stream_bulk_transfer_events",
    ("get", "/v1/bulk-charges/{id}/events"): "stream_bulk_charge_events",
    ("get", "/v1/payments/{id}/socket"): "open_payment_socket",
    ("get", "/v1/ops/audit"): "list_ops_audit",
    ("get", "/v1/ops/search"): "search_ops",
    ("get", "/v1/ops/workers"): "get_ops_workers",
}
"""Operation ids that do not follow the rule of `operation_id`."""

VERBS = {"get": "get", "post": "create", "put": "set", "patch": "update", "delete": "delete"}

TAGS = {
    "api_keys": "API keys",
    "me": "Profile",
    "endings": "Captures, voids and cancellations",
    "rates": "Exchange rates",
    "streams": "Live updates",
    "batches": "Batches of retries",
    "explanations": "Why payments wait",
    "ops_payments": "Stuck, parked and undecided payments",
    "ops": "Operations",
    "owner_invitations": "Owners of merchants",
    "ops_accounts": "Movements and balances of accounts",
    "searches": "Search",
    "related": "What belongs to payments",
}
"""Tags that differ from the name of their blueprint."""


def describe(document: dict[str, Any]) -> None:
    """Add an operationId, a tag and a description to every operation."""
    for path, method, operation in operations(document["paths"]):
        operation["operationId"] = operation_id(method, path)
        operation["tags"] = [tag(name) for name in operation["tags"]]
        _mark_body_as_required(document, method, operation)
        scopes = operation.get("x-scopes")
        needed = f"Needs the scope {' or '.join(f'`{scope}`' for scope in scopes)}." if scopes else "Needs no token."
        if operation.get("x-second-factor"):
            needed += " Asks for the second factor again: see `POST /v1/sessions/current/second-factor`."
        operation["description"] = "\n\n".join(filter(None, [operation.get("description"), needed]))
    for group in document["tags"]:
        group["name"] = tag(group["name"])


def _mark_body_as_required(document: dict[str, Any], method: str, operation: Operation) -> None:
    """The body of a POST without required members is optional: see `load_body` in gateway/http/parsing.py."""
    body = operation.get("requestBody", {})
    reference = body.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref")
    if method == "post" and reference:
        body["required"] = bool(document["components"]["schemas"][reference.rpartition("/")[2]].get("required"))


def operations(paths: dict[str, Any]) -> Iterator[tuple[str, str, Operation]]:
    """The path, method and document of each operation."""
    for path, item in paths.items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def tag(name: str) -> str:
    """The tag of a blueprint, in words."""
    return TAGS.get(name) or name.replace("_", " ").capitalize()


def operation_id(method: str, path: str) -> str:
    """A verb and its object, derived from method and path, so it is unique and as stable as the path."""
    if (method, path) in IRREGULAR:
        return IRREGULAR[method, path]
    *parents, last = (part for part in path.split("/") if part not in ("", "v1"))
    is_one = last.startswith("{")
    if is_one:
        last = parents.pop()
    owners = [singular(part) for part in parents if not part.startswith("{")]
    if method == "post" and last in ACTIONS:
        verb, _, rest = last.partition("-")
        if parents and not parents[-1].startswith("{"):  # of many at once
            owners[-1] = parents[-1]
        return _joined(verb, *owners, rest)
    if method == "get" and not is_one:
        return _joined("list" if singular(last) != last else "get", *owners, last)
    return _joined(VERBS[method], *owners, singular(last))


def singular(words: str) -> str:
    """The singular of a plural in a path."""
    if words in ("ops", "status"):
        return words
    return re.sub(r"s$", "", re.sub(r"ies$", "y", re.sub(r"ches$", "ch", words)))


def _joined(*words: str) -> str:
    return "_".join(word for word in words if word).replace("-", "_")
