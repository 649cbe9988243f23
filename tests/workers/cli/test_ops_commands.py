"""What ops do over HTTP they do in a shell: each operation of theirs has its command, or a reason why not."""

import json
from typing import Any

import click
from flask.cli import AppGroup

from embedded.home import CHECKOUT
from gateway.ops.closing_schemas import ClosingRowSchema, MerchantDaySchema
from models import closing_body
from workers.cli.ops import ops_cli
from workers.cli.payments import payments_cli
from workers.cli.users import users_cli
from workers.cli.workers import workers_cli

GROUPS: dict[str, AppGroup] = {
    "ops": ops_cli,
    "payments": payments_cli,
    "users": users_cli,
    "workers": workers_cli,
}

SERVED = {
    "get_ops_overview": "ops overview",
    "get_ops_payment_related": "ops related",
    "search_ops": "ops search",
    "list_ops_payments": "ops payments",
    "get_ops_payment_count": "ops payments",
    "retry_ops_payment": "payments retry",
    "retry_ops_payments": "ops retry",
    "get_ops_payment": "payments show",
    "get_ops_payment_explanation": "payments explain",
    **{f"{verb}_ops_payment": f"ops {verb}" for verb in ("cancel", "fail", "capture", "void", "ask", "resolve")},
    "list_ops_resolutions": "ops resolutions",
    "approve_ops_resolution": "ops approve",
    "reject_ops_resolution": "ops reject",
    "list_ops_batches": "ops batches",
    "get_ops_batch": "ops batch",
    "list_ops_batch_payments": "ops batch",
    "stop_ops_batch": "ops stop-batch",
    "retry_ops_batch": "ops retry-batch",
    "list_ops_adjustments": "ops adjustments",
    "create_ops_adjustment": "ops adjust",
    "approve_ops_adjustment": "ops approve-adjustment",
    "reject_ops_adjustment": "ops reject-adjustment",
    "list_ops_freezes": "ops freezes",
    "create_ops_freeze": "ops freeze",
    "thaw_ops_freeze": "ops thaw",
    "list_ops_pauses": "ops pauses",
    "create_ops_pause": "ops pause",
    "resume_ops_pause": "ops resume",
    "create_ops_reconciliation": "ops upload-statement",
    "list_ops_reconciliations": "ops statements",
    "get_ops_reconciliation": "ops statements",
    "list_ops_reconciliation_lines": "ops statement-lines",
    "match_ops_reconciliation_line": "ops match-line",
    "match_ops_reconciliation_lines": "ops match-lines",
    "dismiss_ops_reconciliation_line": "ops dismiss-line",
    "get_ops_closing": "ops closing",
    "list_ops_breaches": "ops breaches",
    "acknowledge_ops_breach": "ops acknowledge",
    "list_ops_users": "users list",
    "get_ops_user": "ops user",
    "update_ops_user": "users deactivate",
    "reset_ops_user_second_factor": "users reset-second-factor",
    "create_ops_user_invitation": "users invite-owner",
    "withdraw_ops_invitation": "users withdraw-owner",
    "end_ops_user_sessions": "users end-sessions",
    "end_ops_user_api_keys": "users end-api-keys",
    "list_ops_account_operations": "ops operations",
    "list_ops_balances": "ops balances",
    "list_ops_accounts": "ops accounts",
    "list_ops_audit": "ops audit",
    "list_ops_open_items": "ops open-items",
    "list_ops_assignments": "ops assignments",
    "create_ops_assignment": "ops take",
    "give_ops_assignment_back": "ops give-back",
    "create_ops_payment_note": "ops note",
    "list_ops_saved_views": "ops saved-views",
    "create_ops_saved_view": "ops save-view",
    "update_ops_saved_view": "ops change-view",
    "delete_ops_saved_view": "ops delete-view",
    "list_ops_rails": "ops rails",
    "list_ops_rail_files": "ops rail-files",
    "get_ops_rail_file_content": "ops rail-file",
    "list_ops_webhook_endpoints": "ops webhook-endpoints",
    "get_ops_webhook_endpoint": "ops webhook-endpoints",
    "redeliver_ops_webhook_endpoint": "ops redeliver-range",
    "redeliver_ops_webhook_delivery": "ops redeliver",
    "get_ops_workers": "workers list",
    "list_ops_commission_terms": "ops commission-terms",
    "list_ops_commissions": "ops commissions",
}
"""The command of each operation."""

PRICES = "sets prices: the worker's role, in which the shell acts, has no right to them"

NOT_SERVED = dict.fromkeys(
    ("create_currency", "update_currency", "set_exchange_rate", "create_ops_commission_terms"), PRICES
)
"""Why an operation has none."""


def operations_of_ops() -> dict[str, str]:
    """The method of each operation that needs a scope of ops."""
    paths: dict[str, dict[str, Any]] = json.loads((CHECKOUT / "docs" / "openapi.json").read_text())["paths"]
    operations = [(method, body) for path in paths.values() for method, body in path.items() if isinstance(body, dict)]
    return {
        body["operationId"]: method
        for method, body in operations
        if any(scope.startswith("ops:") for scope in body.get("x-scopes", ()))
    }


def options(command: str) -> set[str]:
    group, _, name = command.partition(" ")
    found = GROUPS[group].commands[name]
    return {text for option in found.params if isinstance(option, click.Option) for text in option.opts}


def test_each_operation_of_ops_has_its_command() -> None:
    assert SERVED.keys() | NOT_SERVED.keys() == operations_of_ops().keys()
    assert not SERVED.keys() & NOT_SERVED.keys()


def test_each_command_prints_json_and_tries_what_it_changes() -> None:
    methods = operations_of_ops()
    for operation, command in SERVED.items():
        assert "--json" in options(command), command
        if methods[operation] != "get":
            assert "--dry-run" in options(command), command
    assert all({"--reason"} <= options(command) for command in SERVED.values() if "reject" in command)


def test_file_of_a_closing_has_the_same_columns() -> None:
    assert tuple(ClosingRowSchema().fields) == closing_body.COLUMNS
    assert tuple(MerchantDaySchema().fields) == closing_body.DAY_COLUMNS
