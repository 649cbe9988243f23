"""`flask ops`: what ops do over HTTP, in a shell and with the worker's database role; and the canary."""

from workers.cli import (
    ops_accounts,
    ops_actions,
    ops_adjustments,
    ops_archive,
    ops_assignments,
    ops_batches,
    ops_books,
    ops_closing,
    ops_commissions,
    ops_lists,
    ops_overview,
    ops_pauses,
    ops_payments,
    ops_rails,
    ops_reconciliations,
    ops_replica,
    ops_search,
    ops_users,
    ops_views,
    ops_webhooks,
)
from workers.cli.group import WorkerGroup
from workers.cli.ops_canary import canary

COMMANDS = (
    *ops_reconciliations.COMMANDS,
    *ops_overview.COMMANDS,
    *ops_search.COMMANDS,
    *ops_payments.COMMANDS,
    *ops_users.COMMANDS,
    *ops_lists.COMMANDS,
    *ops_accounts.COMMANDS,
    *ops_actions.COMMANDS,
    *ops_adjustments.COMMANDS,
    *ops_archive.COMMANDS,
    *ops_batches.COMMANDS,
    *ops_books.COMMANDS,
    *ops_closing.COMMANDS,
    *ops_commissions.COMMANDS,
    *ops_pauses.COMMANDS,
    *ops_rails.COMMANDS,
    *ops_replica.COMMANDS,
    *ops_assignments.COMMANDS,
    *ops_views.COMMANDS,
    *ops_webhooks.COMMANDS,
    canary,
)

ops_cli = WorkerGroup("ops", help="Act as ops (with the worker's database role).")
for command in COMMANDS:
    ops_cli.add_command(command)
